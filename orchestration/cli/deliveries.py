"""metricpress deliveries: look into the ledger of what was sent to whom."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table, remark
from orchestration.cli.main import new_app
from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.delivery.outcome import DispatchResult
    from orchestration.delivery.records import Outcome, Stage
    from orchestration.delivery.resending import Resent

app = new_app(help="What was sent to whom, and how it went.")

#: So that the tables of deliveries fit 80 columns.
RECIPIENT_WIDTH = 28
REPORT_WIDTH = 20


@app.command("list")
def list_deliveries(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")] = None,
    status: Annotated[
        str | None, typer.Option(help="pending, sent, failed, unknown, held, skipped ...; default: all.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="Due on that day (UTC) or later; or a moment.")
    ] = None,
    subscription: Annotated[
        str | None, typer.Option(metavar="SUBSCRIPTION", help="Only of this one.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    all_attempts: Annotated[
        bool, typer.Option("--all-attempts", help="Also what a later resend has replaced.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest first: each report, each recipient, and how it stands now."""
    from orchestration.delivery.records import STATUSES, history
    from orchestration.delivery.subscriptions import find
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import require_tenant

    if status is not None and status not in STATUSES:
        raise MetricpressError(f"{status!r} is not a status", remedy=f"Known: {', '.join(STATUSES)}.")
    with connect(Settings.from_env(), "pipeline") as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        wanted = find(conn, subscription, tenant).subscription_id if subscription else None
        found = history(
            conn, tenant, status, limit, subscription=wanted, since=since_from(since) if since else None,
            all_attempts=all_attempts,
        )  # fmt: skip
    if as_json:
        print_json([vars(outcome) for outcome in found])
        return
    print_outcomes(found, "The ledger holds no such delivery.")


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, or how it begins.")],
    as_json: AsJson = False,
) -> None:
    """Show one delivery: who asked, attempts, errors, files with their SHA-256, the figures shown."""
    from orchestration.delivery.records import figures, lookup, stages
    from orchestration.warehouse.connection import connect

    with connect(Settings.from_env(), "pipeline") as conn:
        found = lookup(conn, key)
        if len(found) != 1:
            raise MetricpressError(
                f"{len(found) or 'no'} deliveries begin with {key!r}",
                remedy="See: metricpress deliveries list",
            )
        shown, done = figures(conn, found[0]), stages(conn, found[0])
    if as_json:
        history = [vars(stage) for stage in done]
        print_json(vars(found[0]) | {"report_data": shown, "history": history})
        return
    _print_one(found[0], done)
    values = [
        {"figure": name, "value": shown[name], "before": shown.get(f"{name}.previous")}
        for name in sorted(shown)
        if not name.endswith(".previous")
    ]
    print_table(values, ("figure", "value", "before"), title="Figures shown", empty="No figures.")


def print_outcomes(outcomes: Sequence[Outcome], empty: str) -> None:
    """A table a tenant, an entry a delivery."""
    by_tenant: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        covered = days_covered(outcome.period_start, outcome.period_end)
        row = {
            "id": str(outcome.delivery_id)[:8],
            "report": "\n".join((*wrap(outcome.subscription, REPORT_WIDTH), covered)),
            "recipient": _two_lines(outcome.recipient),
            "status (UTC)": f"{_status(outcome)}\n{_when(outcome)}",
        }
        by_tenant.setdefault(outcome.tenant_id, []).append(row)
    if not by_tenant:
        remark(empty)
    for number, (tenant, rows) in enumerate(by_tenant.items()):
        if number:
            print()
        print_table(rows, tuple(rows[0]), title=tenant)


def _two_lines(recipient: str) -> str:
    """A long address breaks before its domain, not in the middle of a word."""
    name, sign, domain = recipient.rpartition("@")
    return f"{name}\n{sign}{domain}" if sign and len(recipient) > RECIPIENT_WIDTH else recipient


def _status(outcome: Outcome) -> str:
    """A notice without figures is no report that was sent."""
    return outcome.delivery_status + (", a notice" if outcome.kind == "notice" else "")


def _when(outcome: Outcome) -> str:
    """When it was delivered, comes again, or was due."""
    if outcome.delivered_at is not None:
        word, moment = "", outcome.delivered_at
    elif outcome.delivery_status == "failed" and outcome.next_attempt_at is not None:
        word, moment = "again ", outcome.next_attempt_at
    else:
        word, moment = "due ", outcome.due_at
    return word + _short(moment)


def _short(moment: datetime) -> str:
    """In UTC, without the year if it is this one, else without the time."""
    moment = moment.astimezone(UTC)
    return f"{moment:%m-%d %H:%M}" if moment.year == datetime.now(UTC).year else f"{moment:%Y-%m-%d}"


def is_subscription(conn: psycopg.Connection[Any], key: str, tenant: str | None) -> bool:
    """Whether `key` names a standing subscription."""
    from orchestration.delivery.subscriptions import find

    try:
        find(conn, key, tenant)
    except MetricpressError:
        return False
    return True


def tell_resent(resent: Resent, as_json: bool, empty: str) -> None:
    """What a person asked for: also a recipient that was left out is worth a look."""
    left = [{"recipient": recipient, "reason": reason} for recipient, reason in resent.left]
    more = {"second_copies": list(resent.doubtful), "left": left}
    if not as_json:
        for recipient in resent.doubtful:
            remark(f"{recipient}: may have had it before; this may be a second copy")
        for recipient, reason in resent.left:
            remark(f"{recipient}: not sent again: {reason} (--fresh renders it anew)")
    is_fine = not (resent.left or resent.result.skipped)
    tell_result(resent.result, as_json, empty, more if as_json else {}, is_fine=is_fine)


def tell_result(
    result: DispatchResult,
    as_json: bool,
    empty: str,
    more: dict[str, Any] | None = None,
    *,
    is_fine: bool = True,
) -> None:
    """What a dispatch did; ends with exit code 1 when a person has to look."""
    if as_json:
        print_json(result.as_dict() | (more or {}))
    else:
        print_outcomes(result.outcomes, empty)
        for problem in result.problems:
            remark(f"{problem.tenant_id}: {problem.subscription}: {problem.message}")
        for outcome in result.outcomes:
            if outcome.delivery_id in result.places:
                remark(f"{outcome.recipient}: {result.places[outcome.delivery_id]}")
            if outcome.reason:
                remark(f"{outcome.recipient}: {_status(outcome)}: {outcome.reason}")
    if not (is_fine and result.is_fine):
        sys.exit(EXIT_CHECK_FAILED)


def days_covered(start: date, end: date) -> str:
    """2026-11-20, 2026-11-16 to 11-22, 2026-11."""
    if start == end:
        return str(start)
    if start.day == 1 and (end + timedelta(days=1)).day == 1 and start.month == end.month:
        return f"{start:%Y-%m}"
    return f"{start} to {end:%m-%d}" if start.year == end.year else f"{start} to {end}"


def since_from(text: str) -> datetime:
    """A moment with its offset, or the beginning of a bare day in UTC."""
    from orchestration.cli.build import moment_from

    moment = moment_from(text)
    if isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _print_one(outcome: Outcome, done: Sequence[Stage]) -> None:
    fields = [{"field": name, "value": value} for name, value in vars(outcome).items() if name != "files"]
    print_table([row for row in fields if row["value"] is not None], ("field", "value"))
    rows = [
        {
            "id": str(stage.delivery_id)[:8],
            "asked_by": stage.requested_by or "schedule",
            "asked_at": _short(stage.created_at),
            "status": stage.delivery_status,
            "attempts": stage.attempts,
            "last_change": _short(stage.updated_at),
        }
        for stage in done
    ]
    print_table(
        rows, ("id", "asked_by", "asked_at", "status", "attempts", "last_change"), title="History (UTC)"
    )
    for stage in done:
        if stage.error_message and stage.delivery_id != outcome.delivery_id:
            print(f"{str(stage.delivery_id)[:8]}: {stage.error_message}")
    print_table(outcome.files, ("format", "sha256"), title="Files", empty="No files.")
    for entry in outcome.files:
        print(entry["path"])
    removed = [stage.files_removed_at for stage in done if stage.files_removed_at is not None]
    if removed:
        print(f"The files were removed on {removed[-1]:%Y-%m-%d}: the tenant's retention time was over.")
