"""Reports as assets: what was dispatched to subscribers, and a report on demand.

Belongs here: one asset a report, the run that dispatches what is due, the typed form for a single report, and
the pictures of first pages. Does not belong here: rendering (orchestration/reports) and the ledger of what
was promised and sent (orchestration/delivery), which stays true without Dagster.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from pydantic import Field

from orchestration.defs.dbt import Translator
from orchestration.defs.metadata import file_link, markdown_table, picture
from orchestration.defs.retries import TRANSIENT_RETRIES, retrying_only_transient
from orchestration.delivery import subscriptions
from orchestration.delivery.calendar import Due
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.planning import ask
from orchestration.delivery.records import Outcome
from orchestration.delivery.service import dispatch
from orchestration.delivery.subscriptions import Subscription
from orchestration.errors import MetricpressError
from orchestration.reports import ReportRequest, first_page_png, render
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

GROUP = "reports"
OWNER = "team:reporting"
POOL = "reports"
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
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Render and send the reports that are due; a second dispatch of the same period sends nothing."""
        with retrying_only_transient():
            result = dispatch(settings)
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


def tell_of_failures(result: DispatchResult) -> None:
    """Fail the run when a person has to look: nothing will be tried again by itself."""
    lost = [o for o in (*result.failed, *result.unknown) if o.next_attempt_at is None]
    lines = [f"{o.tenant_id}: {o.report} to {o.recipient}: {o.delivery_status}: {o.reason}" for o in lost]
    lines += [f"{p.tenant_id}: subscription {p.subscription}: {p.message}" for p in result.problems]
    if lines:
        raise dg.Failure(
            description="not delivered, and not tried again by itself:\n" + "\n".join(lines),
            allow_retries=False,
        )


def dispatch_metadata(sent: Sequence[Outcome]) -> dict[str, Any]:
    """Who got what, the files, and the first pages."""
    files = {entry["path"]: entry["format"] for outcome in sent for entry in outcome.files}
    documents = [Path(path) for path, kind in files.items() if not kind.startswith("mail.")]
    metadata: dict[str, Any] = {
        "sent": len(sent),
        "deliveries": markdown_table(
            [
                {
                    "tenant": o.tenant_id,
                    "frequency": o.frequency,
                    "period": f"{o.period_start} to {o.period_end}",
                    "channel": o.channel,
                    "recipient": o.recipient,
                }
                for o in sent
            ]
        ),
    }
    return metadata | documents_metadata(documents)


def documents_metadata(documents: Sequence[Path]) -> dict[str, Any]:
    """A link to each file, and the first page of the first few PDFs."""
    metadata: dict[str, Any] = {path.name: file_link(path) for path in documents}
    for path in [p for p in documents if p.suffix == ".pdf"][:PICTURES]:
        page = first_page_png(path.read_bytes())
        if page is not None:
            metadata[f"first page of {path.stem}"] = picture(page, "png", f"first page of {path.name}")
    return metadata


class ReportFrequency(Enum):
    """How long a report's period is."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ReportOnDemand(dg.Config):
    """The form of the launchpad for one report."""

    tenant: str = Field(description="tenant_id, as in `metricpress tenants list`")
    report: str = Field(description="executive, lead_performance, or a report of your own")
    frequency: ReportFrequency = Field(description="DAILY, WEEKLY or MONTHLY")
    day: str = Field(
        default="", description="any day of the period, as 2026-11-20; empty: the newest complete period"
    )
    branch: str | None = Field(default=None, description="branch_id; empty: the whole tenant")
    formats: list[str] = Field(default=["pdf"], description="pdf, html")
    locale: str = Field(default="en", description="language and number format")
    parameters: dict[str, Any] = Field(
        default={}, description="as report_templates/<report>/parameters.schema.json allows"
    )
    recipients: list[str] = Field(
        default=[],
        description="mail addresses; empty: only render, and show the file and its first page here",
    )


@dg.op(name="render_report", retry_policy=TRANSIENT_RETRIES, pool=POOL)
def render_report(
    context: dg.OpExecutionContext, config: ReportOnDemand, settings: dg.ResourceParam[Settings]
) -> None:
    """Render one report now; with recipients, send it to them through the ledger."""
    with retrying_only_transient():
        request = request_of(config, settings)
        context.log.info(
            "%s of %s for %s to %s",
            request.report,
            request.tenant_id,
            request.period_start,
            request.period_end,
        )
        documents = (
            send(config, request, settings)
            if config.recipients
            else render_to_files(config, request, settings)
        )
    context.log_event(
        dg.AssetMaterialization(
            report_key(config.report),
            description=f"on demand for {config.tenant}",
            metadata={
                "tenant": config.tenant,
                "period": f"{request.period_start} to {request.period_end}",
                "recipients": ", ".join(config.recipients) or "none",
                **documents_metadata(documents),
            },
        )
    )


def request_of(config: ReportOnDemand, settings: Settings) -> ReportRequest:
    """The request for one whole period; MetricpressError for an unknown tenant or a bad day."""
    with connect(settings, "pipeline") as conn:
        row = conn.execute(
            "select complete_date, week_start from marts.tenants where tenant_id = %s", (config.tenant,)
        ).fetchone()
    if row is None:
        raise MetricpressError(
            f"the marts have no rows of tenant {config.tenant!r}", remedy="Run: metricpress build"
        )
    first, last = period_asked(config.frequency, config.day, *row)
    return ReportRequest(
        tenant_id=config.tenant,
        report=config.report,
        frequency=config.frequency.value,
        period_start=first,
        period_end=last,
        branch_id=config.branch,
        parameters=config.parameters,
        locale=config.locale,
        template_dir=settings.template_dir,
    )


def period_asked(frequency: ReportFrequency, day: str, complete: date, week_start: str) -> tuple[date, date]:
    """The period that holds `day`; for an empty day the newest one that ended by `complete` (inclusive)."""
    if not day:
        period = period_around(frequency, complete, week_start)
        return (
            period
            if period[1] <= complete
            else period_around(frequency, period[0] - timedelta(days=1), week_start)
        )
    try:
        asked = date.fromisoformat(day)
    except ValueError as error:
        raise MetricpressError(f"{day!r} is not a date", remedy="Give the day as 2026-11-20.") from error
    return period_around(frequency, asked, week_start)


def period_around(frequency: ReportFrequency, day: date, week_start: str) -> tuple[date, date]:
    """First and last day (inclusive) of the day, week or month that holds `day`."""
    if frequency is ReportFrequency.DAILY:
        return day, day
    if frequency is ReportFrequency.WEEKLY:
        first = day - timedelta(days=(day.weekday() + (1 if week_start == "sunday" else 0)) % 7)
        return first, first + timedelta(days=6)
    next_month = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day.replace(day=1), next_month - timedelta(days=1)


def render_to_files(config: ReportOnDemand, request: ReportRequest, settings: Settings) -> list[Path]:
    """Render without telling anybody; the files lie below the output folder, in `on_demand`."""
    with connect(settings, "pipeline") as conn:
        report = render(conn, request, config.formats)
    folder = settings.output_dir / "on_demand" / request.tenant_id
    folder.mkdir(parents=True, exist_ok=True)
    branch = f"_{request.branch_id}" if request.branch_id else ""
    stem = f"{request.tenant_id}{branch}_{request.report}_{request.frequency}_{request.period_end}"
    paths = []
    for name, content in report.files.items():
        path = folder / f"{stem}.{name}"
        path.write_bytes(content)
        paths.append(path)
    return paths


def send(config: ReportOnDemand, request: ReportRequest, settings: Settings) -> list[Path]:
    """Render and send through the ledger, so that it is known later who got which figures.

    Raises MetricpressError when a recipient is refused or the report could not be delivered to all.
    """
    now = datetime.now(UTC)
    with connect(settings, "pipeline") as conn:
        subscription, occurrence = order(conn, config, request, settings, now)
    result = dispatch(settings, now, config.tenant, occurrence=occurrence)
    if not result.waiting and not any(o.next_attempt_at for o in result.failed):
        with connect(settings, "pipeline") as conn:
            subscriptions.delete(conn, subscription)
    missed = [o for o in result.outcomes if o.delivery_status != "sent"]
    if missed:
        raise MetricpressError(
            "not delivered: " + "; ".join(f"{o.recipient}: {o.delivery_status}: {o.reason}" for o in missed),
            remedy="What waits or failed for a while is tried again by itself; mend the rest and ask again.",
            exit_code=1,
        )
    files = {entry["path"]: entry["format"] for outcome in result.sent for entry in outcome.files}
    return [Path(path) for path, kind in files.items() if not kind.startswith("mail.")]


def order(
    conn: psycopg.Connection[Any],
    config: ReportOnDemand,
    request: ReportRequest,
    settings: Settings,
    now: datetime,
) -> tuple[Subscription, str]:
    """A subscription that never comes due by itself, and the id of its one occurrence."""
    with conn.transaction():
        subscription = subscriptions.add(
            conn,
            Subscription(
                tenant_id=config.tenant,
                name=f"On demand {now:%Y-%m-%d %H:%M:%S.%f}",
                report=config.report,
                frequency=config.frequency.value,
                recipients=config.recipients,
                branch_id=config.branch,
                parameters=config.parameters,
                formats=config.formats,
                locale=config.locale,
            ),
            settings.template_dir,
        )
        subscriptions.pause(conn, subscription)
        due = Due(now.date(), now, request.period_start, request.period_end)
        return subscription, ask(conn, subscription, due, now)
