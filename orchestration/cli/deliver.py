"""metricpress deliver: send what is due, send or preview on demand, look into the ledger."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table, progress, remark
from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.delivery.calendar import Due
    from orchestration.delivery.outcome import DispatchResult
    from orchestration.delivery.records import Outcome
    from orchestration.delivery.subscriptions import Subscription, Tenant

#: Without a subcommand it dispatches, so it cannot be one of main.new_app.
app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, no_args_is_help=False, invoke_without_command=True
)

OfTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")]
Key = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Its name, its id, or how the id begins.")]
LocalDate = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="As if due on that local date; default: the last one due."),
]


@app.callback()
def due(
    context: typer.Context,
    tenant: OfTenant = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="As if it were 2026-03-31T12:00+02:00, or the end of the day 2026-03-31 (UTC).",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be sent; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Render and send the reports that are due. Each goes out once; what waits says why.

    Exits 1 when a delivery failed or its outcome is unknown.
    """
    if context.invoked_subcommand is not None:
        return
    from orchestration.delivery.operator_mail import tell
    from orchestration.delivery.service import dispatch, rehearse

    settings, now = Settings.from_env(), moment_of(at)
    if tenant is not None:
        _require(settings, tenant)
    if dry_run:
        _tell(rehearse(settings, now, tenant), as_json, "Nothing is due.")
        return
    with progress("sending what is due") as advance:
        result = dispatch(
            settings,
            now,
            tenant,
            lambda done, total, name: advance(1, total=total, description=name[:40]),
        )
    for mail in tell(settings, now).mails:
        remark(f"{mail.recipient}: {mail.error or f'told of: {mail.subject}'}")
    _tell(result, as_json, "Nothing is due.")


@app.command()
def send(key: Key, tenant: OfTenant = None, on: LocalDate = None, as_json: AsJson = False) -> None:
    """Send one report of a subscription now, to all its recipients, whether or not it was sent before."""
    from orchestration.delivery.planning import ask
    from orchestration.delivery.service import dispatch
    from orchestration.warehouse.connection import connect

    settings, now = Settings.from_env(), datetime.now(UTC)
    subscription, occurrence, _ = _asked(settings, key, tenant, on)
    with connect(settings, "pipeline") as conn:
        asked = ask(conn, subscription, occurrence, now)
    with progress(f"sending {subscription.name}"):
        result = dispatch(settings, now, subscription.tenant_id, occurrence=asked)
    _tell(result, as_json, "Nothing was sent.")


@app.command()
def preview(
    key: Key,
    tenant: OfTenant = None,
    on: LocalDate = None,
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("preview"),
    as_json: AsJson = False,
) -> None:
    """Render one report of a subscription into a folder; nothing is sent or recorded."""
    from orchestration.delivery.service import preview as render_preview
    from orchestration.reports import ReportRequest

    settings = Settings.from_env()
    subscription, occurrence, owner = _asked(settings, key, tenant, on)
    request = ReportRequest(
        tenant_id=subscription.tenant_id,
        report=subscription.report,
        frequency=subscription.frequency,
        period_start=occurrence.period_start,
        period_end=occurrence.period_end,
        branch_id=subscription.branch_id,
        parameters=subscription.parameters,
        locale=subscription.locale or owner.locale,
        template_dir=settings.template_dir,
    )
    with progress(f"rendering {subscription.name}"):
        paths = render_preview(settings, request, subscription.formats, folder)
    if as_json:
        print_json([{"path": path} for path in paths])
        return
    for path in paths:
        print(path)


@app.command("list")
def list_deliveries(
    tenant: OfTenant = None,
    status: Annotated[
        str | None, typer.Option(help="pending, sent, failed, unknown, skipped ...; default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what the ledger holds: each report, each recipient, and how it went."""
    from orchestration.delivery.records import STATUSES, history
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import require_tenant

    if status is not None and status not in STATUSES:
        raise MetricpressError(f"{status!r} is not a status", remedy=f"Known: {', '.join(STATUSES)}.")
    with connect(Settings.from_env(), "pipeline") as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        outcomes = history(conn, tenant, status, limit)
    _print(outcomes, as_json, "The ledger holds no such delivery.")


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, or how it begins.")],
    as_json: AsJson = False,
) -> None:
    """Show one delivery: attempts, why it failed, its files with their SHA-256, the figures shown."""
    from orchestration.delivery.records import figures, lookup
    from orchestration.warehouse.connection import connect

    with connect(Settings.from_env(), "pipeline") as conn:
        found = lookup(conn, key)
        if len(found) != 1:
            raise MetricpressError(
                f"{len(found) or 'no'} deliveries begin with {key!r}", remedy="See: metricpress deliver list"
            )
        shown = figures(conn, found[0])
    if as_json:
        print_json(vars(found[0]) | {"report_data": shown})
        return
    fields = [{"field": name, "value": value} for name, value in vars(found[0]).items() if name != "files"]
    print_table([row for row in fields if row["value"] is not None], ("field", "value"))
    print_table(found[0].files, ("format", "bytes", "sha256"), title="Files", empty="No files.")
    for entry in found[0].files:
        print(entry["path"])
    values = [{"figure": name, "value": value} for name, value in shown.items()]
    print_table(values, ("figure", "value"), title="Figures shown", empty="No figures.")


@app.command("webhook-secret")
def webhook_secret(
    url: Annotated[str, typer.Argument(metavar="URL", help="The recipient, to the letter.")],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose reports the receiver gets.")],
    as_json: AsJson = False,
) -> None:
    """Print the secret a receiver of webhooks verifies signatures with; of several keys the newest first."""
    from orchestration.delivery.channels import check_recipient
    from orchestration.delivery.channels.webhook import secrets

    settings = Settings.from_env()
    check_recipient("webhook", url, settings.webhook_private_hosts)
    _require(settings, tenant)
    found = secrets(settings.signing_keys, tenant, url)
    if as_json:
        print_json(found)
        return
    for secret in found:
        print(secret)


def moment_of(text: str | None) -> datetime:
    """The present, a moment with its offset, or the end of a bare day in UTC."""
    from orchestration.cli.build import moment_from

    if text is None:
        return datetime.now(UTC)
    moment = moment_from(text)
    if isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + timedelta(days=1)


def _asked(
    settings: Settings, key: str, tenant_id: str | None, on: str | None
) -> tuple[Subscription, Due, Tenant]:
    """The subscription and the occurrence that was asked for; default: the last that came due."""
    from orchestration.cli.build import day_from
    from orchestration.delivery.calendar import latest, occurrence
    from orchestration.delivery.subscriptions import find, schedule_of, tenant_of
    from orchestration.warehouse.connection import connect

    with connect(settings, "pipeline") as conn:
        subscription = find(conn, key, tenant_id)
        tenant = tenant_of(conn, subscription.tenant_id)
    schedule = schedule_of(subscription, tenant.timezone, tenant.week_start)
    now = datetime.now(UTC)
    if on is not None:
        return subscription, occurrence(schedule, day_from(on)), tenant
    found = latest(schedule, min(now, tenant.clock_stops_at or now))
    if found is None:
        raise MetricpressError(f"{subscription.name} was not due yet", remedy="Give --date.")
    return subscription, found, tenant


def _require(settings: Settings, tenant: str) -> None:
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import require_tenant

    with connect(settings, "pipeline") as conn:
        require_tenant(conn, tenant)


def _tell(result: DispatchResult, as_json: bool, empty: str) -> None:
    if as_json:
        print_json(result.as_dict())
    else:
        _print(result.outcomes, False, empty)
        for problem in result.problems:
            remark(f"{problem.tenant_id}: {problem.subscription}: {problem.message}")
        for outcome in result.outcomes:
            if outcome.delivery_id in result.places:
                remark(f"{outcome.recipient}: {result.places[outcome.delivery_id]}")
            if outcome.reason:
                remark(f"{outcome.recipient}: {outcome.delivery_status}: {outcome.reason}")
    if not result.is_fine:
        sys.exit(EXIT_CHECK_FAILED)


def _print(outcomes: tuple[Outcome, ...] | list[Outcome], as_json: bool, empty: str) -> None:
    if as_json:
        print_json([vars(outcome) for outcome in outcomes])
        return
    rows: list[dict[str, Any]] = [
        {
            "id": str(outcome.delivery_id)[:8],
            "tenant": outcome.tenant_id,
            "subscription": outcome.subscription,
            "period": days_covered(outcome.period_start, outcome.period_end),
            "recipient": outcome.recipient,
            "status": outcome.delivery_status,
        }
        for outcome in outcomes
    ]
    print_table(rows, ("id", "tenant", "subscription", "period", "recipient", "status"), empty=empty)


def days_covered(start: date, end: date) -> str:
    """2026-11-20, 2026-11-16 to 11-22, 2026-11."""
    if start == end:
        return str(start)
    if start.day == 1 and (end + timedelta(days=1)).day == 1:
        return f"{start:%Y-%m}"
    return f"{start} to {end:%m-%d}"
