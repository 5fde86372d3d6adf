"""Reports as assets: what was dispatched to subscribers.

Belongs here: one asset a report, the run that dispatches what is due, and how a dispatch is shown. Does not
belong here: what a person asks for (requests.py), rendering (orchestration/reports) and the ledger of what
was promised and sent (orchestration/delivery), which stays true without Dagster.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.defs.dbt import Translator
from orchestration.defs.metadata import file_link, markdown_table, picture
from orchestration.defs.retries import TRANSIENT_RETRIES, retrying_only_transient
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.records import Outcome
from orchestration.delivery.rendering import MEDIA_TYPES
from orchestration.delivery.service import dispatch
from orchestration.reports import first_page_png
from orchestration.settings import Settings

GROUP = "reports"
OWNER = "team:reporting"
POOL = "reports"
#: So long before a report is due its run is started: the tick of the sensor and the start of a run take less.
LOOK_AHEAD = timedelta(seconds=30)
#: Pictures of first pages in one event: more would make the event log heavy.
PICTURES = 3


def report_key(name: str) -> dg.AssetKey:
    """The key of a report."""
    return dg.AssetKey(["reports", name])


def report_spec(name: str, manifest: Mapping[str, Any], translator: Translator) -> dg.AssetSpec:
    """A report as an asset; dbt's exposure of the same name says what it reads and what it is for."""
    exposure = next((e for e in manifest["exposures"].values() if e["name"] == name), None)
    depends_on = exposure["depends_on"]["nodes"] if exposure else []
    return dg.AssetSpec(
        report_key(name),
        deps=[translator.get_asset_spec(manifest, unique_id, None).key for unique_id in depends_on],
        description=(exposure or {}).get("description") or f"The report {name}, as its subscribers get it.",
        group_name=GROUP,
        owners=[OWNER],
        kinds={"pdf", "jinja"},
        skippable=True,
    )


class Dispatch(dg.Config):
    """The form of the launchpad for a dispatch."""

    tenant: str | None = Field(default=None, description="only what is due of this tenant_id; empty: of all")
    not_before: str | None = Field(
        default=None,
        description="wait until this moment first; the sensor starts runs before a report is due",
    )


def report_assets(
    names: Iterable[str], manifest: Mapping[str, Any], translator: Translator
) -> dg.AssetsDefinition:
    """The asset of each report; materializing them dispatches whatever is due, for all tenants."""

    @dg.multi_asset(
        name="dispatch_reports",
        specs=[report_spec(name, manifest, translator) for name in names],
        can_subset=True,
        retry_policy=TRANSIENT_RETRIES,
        pool=POOL,
    )
    def dispatch_reports(
        context: dg.AssetExecutionContext, config: Dispatch, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Render and send the reports that are due; a second dispatch of the same period sends nothing."""
        wait_until(config.not_before)
        # Another attempt goes on where this one stopped: the ledger knows what went out.
        with retrying_only_transient():
            result = dispatch(settings, tenant=config.tenant)
        context.log.info(
            "%d planned, %d sent, %d waiting, %d failed, %d unknown",
            result.planned, len(result.sent), len(result.waiting), len(result.failed), len(result.unknown),
        )  # fmt: skip
        for name in names:
            sent = [outcome for outcome in result.sent if outcome.report == name]
            if sent and report_key(name) in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=report_key(name), metadata=dispatch_metadata(sent))
        tell_of_failures(result)

    return dispatch_reports


def wait_until(moment: str | None) -> None:
    """Sleep until that moment (ISO 8601 with offset), LOOK_AHEAD at most; not at all when it is over."""
    if moment is not None:
        left = datetime.fromisoformat(moment) - datetime.now(UTC)
        time.sleep(min(max(left, timedelta(0)), LOOK_AHEAD).total_seconds())


def tell_of_failures(result: DispatchResult) -> None:
    """Fail the run when a person has to look: nothing will be tried again by itself."""
    lost = [o for o in (*result.failed, *result.unknown) if o.next_attempt_at is None]
    fail_with(lost, [f"{p.tenant_id}: subscription {p.subscription}: {p.message}" for p in result.problems])


def fail_with(lost: Sequence[Outcome], more: Sequence[str] = ()) -> None:
    """Fail the run with the list of those who did not get their report, if there are any."""
    lines = [f"{o.tenant_id}: {o.report} to {o.recipient}: {o.delivery_status}: {o.reason}" for o in lost]
    if lines or more:
        raise dg.Failure(
            description="not delivered:\n" + "\n".join([*lines, *more]),
            metadata={"not_delivered": deliveries_table(lost)} if lost else {},
            allow_retries=False,
        )


def deliveries_table(outcomes: Sequence[Outcome]) -> dg.MarkdownMetadataValue:
    """A line a delivery: whose, what, for which days, to whom, how it stands."""
    return markdown_table(
        [
            {
                "delivery": str(o.delivery_id)[:8],
                "tenant": o.tenant_id,
                "frequency": o.frequency,
                "period": f"{o.period_start} to {o.period_end}",
                "channel": o.channel,
                "recipient": o.recipient,
                "status": o.delivery_status,
                "reason": o.reason or "",
            }
            for o in outcomes
        ]
    )


def dispatch_metadata(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Who got what, the files, and the first pages."""
    files = {entry["path"]: entry["format"] for outcome in outcomes for entry in outcome.files}
    documents = [Path(path) for path, kind in files.items() if kind in MEDIA_TYPES]
    return {
        "sent": sum(o.delivery_status == "sent" for o in outcomes),
        "deliveries": deliveries_table(outcomes),
        **documents_metadata(documents),
    }


def documents_metadata(documents: Sequence[Path]) -> dict[str, Any]:
    """A link to each file, and the first page of the first few PDFs."""
    metadata: dict[str, Any] = {path.name: file_link(path) for path in documents}
    for path in [p for p in documents if p.suffix == ".pdf"][:PICTURES]:
        page = first_page_png(path.read_bytes())
        if page is not None:
            metadata[f"first page of {path.stem}"] = picture(page, "png", f"first page of {path.name}")
    return metadata
