"""metricpress suppressions: who may not be written to, and mails that ask to be unsubscribed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from orchestration.cli.console import AsJson, Yes, confirm, print_json, print_table, remark
from orchestration.cli.main import new_app
from orchestration.errors import EXIT_TRY_AGAIN, MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.delivery.suppressions import Suppression

app = new_app(help="Who may not be written to: all of a tenant's reports, or one subscription's.")

Recipient = Annotated[str, typer.Argument(help="A mail address, or what the subscription names.")]
Tenant = Annotated[str, typer.Option(help="Whose reports.")]
OneSubscription = Annotated[
    str | None, typer.Option("--subscription", help="Of this one only: its name or id. Default: of all.")
]


@app.command()
def add(
    recipient: Recipient,
    tenant: Tenant,
    reason: Annotated[str, typer.Option(help="Shown beside every report that is skipped.")],
    subscription: OneSubscription = None,
    as_json: AsJson = False,
) -> None:
    """Send a recipient nothing more, from the next report on."""
    from orchestration.delivery.suppressions import listed, suppress

    recipient = recipient.strip()
    if not recipient or not reason.strip():
        raise MetricpressError("a suppression needs a recipient and a reason", remedy="Give both.")
    with _connection() as conn:
        which = _subscription_id(conn, tenant, subscription)
        named = _is_named(conn, tenant, recipient)
        new = suppress(conn, tenant, recipient, reason.strip(), "command", which)
        (row,) = (
            one
            for one in listed(conn, tenant)
            if one.recipient == recipient.lower() and one.subscription_id == which
        )
    if not named:
        remark(f"No subscription of {tenant} names {recipient}: nothing changes before one does.")
    if as_json:
        print_json({**asdict(row), "new": new})
    elif new:
        print(f"{row.recipient} gets {_what(row)} of {tenant} no more.")
    else:
        print(f"{row.recipient} is suppressed since {row.since:%Y-%m-%d}: {row.reason} ({row.source}).")


@app.command("list")
def list_suppressions(
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None, as_json: AsJson = False
) -> None:
    """List who is written to no more, since when and why."""
    from orchestration.delivery.suppressions import listed
    from orchestration.warehouse.tenants import require_tenant

    with _connection() as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        found = listed(conn, tenant)
    if as_json:
        print_json([asdict(row) for row in found])
        return
    rows = [
        {
            "tenant": row.tenant_id,
            "recipient": row.recipient,
            "gets no": row.subscription or "(report at all)",
            "since": f"{row.since:%Y-%m-%d}",
            "why": row.reason + (f" ({row.source})" if row.source in ("bounce", "gone") else ""),
        }
        for row in found
    ]
    if not rows:
        remark("Nobody is suppressed.")
    for number, (of_whom, of_tenant) in enumerate(groupby(rows, lambda row: row["tenant"])):
        if number:
            print()
        named = list(of_tenant)
        print_table(named, ("recipient", "gets no", "since"), title=of_whom)
        for row in named:
            told = f"{row['recipient']}: {row['why']}"
            print(fill(told, 79, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


@app.command()
def remove(
    recipient: Recipient,
    tenant: Tenant,
    subscription: OneSubscription = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Write to a recipient again; asks first where the recipient had unsubscribed."""
    from orchestration.delivery.suppressions import lift

    with _connection() as conn:
        lifted = lift(conn, tenant, recipient.strip(), _subscription_id(conn, tenant, subscription))
        if not lifted:
            raise MetricpressError(
                f"{recipient} is not suppressed" + (f" for {subscription}" if subscription else ""),
                remedy=f"See: metricpress suppressions list --tenant {tenant}",
            )
        # Within the transaction: a no undoes it.
        if any(row.source == "unsubscribe" for row in lifted):
            confirm(f"{recipient} has unsubscribed. Did they ask for it again?", yes)
    if as_json:
        print_json([asdict(row) for row in lifted])
        return
    for row in lifted:
        print(f"{row.recipient} gets {_what(row)} of {tenant} again.")


@app.command()
def unsubscribe(
    token: Annotated[
        str | None, typer.Argument(help="The word after `unsubscribe`. Default: a mail on standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Honour a link to unsubscribe: TOKEN, or a raw mail as a mail server pipes it.

    A second time changes nothing. Exits 65 when there is no valid token, and for a mail 75 when the mail
    server should try again later (no database, no key).
    """
    if token is not None:
        _unsubscribe(token.strip(), as_json)
        return
    if sys.stdin.isatty():
        raise MetricpressError("there is no token", remedy="Give it, or pipe a mail to the command.")
    from psycopg import Error

    from orchestration.delivery.unsubscribe import NoValidToken, token_in

    mail = sys.stdin.buffer.read()
    try:
        _unsubscribe(token_in(mail), as_json)
    except NoValidToken:
        raise
    except (MetricpressError, Error) as error:
        remedy = getattr(error, "remedy", "")
        raise MetricpressError(str(error), remedy=remedy, exit_code=EXIT_TRY_AGAIN) from error


def _unsubscribe(token: str, as_json: bool) -> None:
    from orchestration.delivery.suppressions import unsubscribe as honour
    from orchestration.delivery.unsubscribe import read_token

    keys = Settings.from_env().signing_keys
    if not keys:
        raise MetricpressError(
            "METRICPRESS_SIGNING_KEY is not set, so no token can be verified",
            remedy="Set the key that the mails were sent with.",
        )
    wish = read_token(token, keys)
    with _connection() as conn:
        new = honour(conn, wish)
    if as_json:
        print_json({**asdict(wish), "new": new})
    else:
        state = "is unsubscribed from" if new else "gets nothing any more from"
        print(f"{wish.recipient} {state} subscription {wish.subscription_id} of {wish.tenant_id}.")


@contextmanager
def _connection() -> Iterator[psycopg.Connection[Any]]:
    from orchestration.warehouse.connection import connect

    with connect(Settings.from_env(), "pipeline", application_name="metricpress suppressions") as conn:
        yield conn


def _subscription_id(conn: psycopg.Connection[Any], tenant: str, key: str | None) -> UUID | None:
    from orchestration.delivery.subscriptions import find
    from orchestration.warehouse.tenants import require_tenant

    require_tenant(conn, tenant)
    return find(conn, key, tenant).subscription_id if key is not None else None


def _is_named(conn: psycopg.Connection[Any], tenant: str, recipient: str) -> bool:
    from orchestration.delivery.subscriptions import listed

    names = (name for subscription in listed(conn, tenant) for name in subscription.recipients)
    return any(name.lower() == recipient.lower() for name in names)


def _what(row: Suppression) -> str:
    return f'"{row.subscription}"' if row.subscription_id else "all reports"
