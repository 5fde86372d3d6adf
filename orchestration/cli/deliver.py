"""metricpress deliver: send what is due, preview or send on demand, send again what failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli import on_demand
from orchestration.cli.cleanup import cleanup
from orchestration.cli.console import AsJson, print_json, progress, remark
from orchestration.cli.deliveries import is_subscription, since_from, tell_resent, tell_result
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.delivery.resending import Again

#: Without a subcommand it dispatches, so it cannot be one of main.new_app.
app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, no_args_is_help=False, invoke_without_command=True
)

#: How far back `resend --failed-only` looks when nothing else is said.
RESEND_DAYS = 7

OfTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")]


app.command("cleanup")(cleanup)


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
        tell_result(rehearse(settings, now, tenant), as_json, "Nothing is due.")
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
    tell_result(result, as_json, "Nothing is due.")


app.command()(on_demand.send)
app.command()(on_demand.preview)


@app.command()
def resend(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="DELIVERY|SUBSCRIPTION|OCCURRENCE",
            help="The id of a delivery or an occurrence; with --failed-only also a subscription.",
        ),
    ] = None,
    *,
    failed_only: Annotated[
        bool, typer.Option("--failed-only", help="All who did not get it; nobody who did.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="Due on that day (UTC) or later; default: the last 7 days."),
    ] = None,
    tenant: OfTenant = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also what may have arrived: it may be a second copy.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Render anew; otherwise the same files and figures go out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send again to those who did not get it: failed and held deliveries. Twice at once is once.

    A held report goes back to wait for good data. The files are those that were rendered, unless --fresh.
    """
    from orchestration.delivery import resending
    from orchestration.warehouse.connection import connect

    settings = Settings.from_env()
    with connect(settings, "pipeline") as conn:
        again = _again(conn, key, tenant, since, failed_only, unknown=unknown, fresh=fresh)
    with progress("sending again"):
        resent = resending.resend(settings, again)
    tell_resent(resent, as_json, "Nothing to send again.")


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


def _again(
    conn: psycopg.Connection[Any],
    key: str | None,
    tenant: str | None,
    since: str | None,
    failed_only: bool,
    *,
    unknown: bool,
    fresh: bool,
) -> Again:
    """What the words of `resend` mean."""
    from orchestration.delivery.resending import Again, find_delivery, find_occurrence
    from orchestration.delivery.subscriptions import find

    moment = since_from(since) if since else None
    by_name = key is not None and is_subscription(conn, key, tenant)
    if key is not None and not by_name:
        if delivery := find_delivery(conn, key, tenant):
            return Again(delivery=delivery, unknown=unknown, fresh=fresh)
        if occurrence := find_occurrence(conn, key, tenant):
            return Again(occurrence=occurrence, since=moment, unknown=unknown, fresh=fresh)
    if not failed_only:
        raise MetricpressError(
            "nothing says what to send again", remedy="Name a delivery (its id), or give --failed-only."
        )
    if key is None:
        if moment is None:
            moment = datetime.now(UTC) - timedelta(days=RESEND_DAYS)
            remark(f"looking at what was due since {moment:%Y-%m-%d %H:%M} UTC (--since)")
        return Again(tenant=tenant, since=moment, unknown=unknown, fresh=fresh)
    subscription = find(conn, key, tenant)
    return Again(
        subscription=subscription.subscription_id, tenant=subscription.tenant_id, since=moment,
        unknown=unknown, fresh=fresh,
    )  # fmt: skip


def _require(settings: Settings, tenant: str) -> None:
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import require_tenant

    with connect(settings, "pipeline") as conn:
        require_tenant(conn, tenant)
