"""metricpress operator: the alerts and the daily summary that whoever runs metricpress is told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from orchestration.cli.console import AsJson, print_json, print_table, remark
from orchestration.cli.main import new_app
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

app = new_app(help="What whoever runs metricpress is told, by mail to METRICPRESS_OPERATOR and here.")


@app.command()
def alerts(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    unsent: Annotated[bool, typer.Option("--unsent", help="Only those that are not out yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the alerts, whether each went out by mail, and why not."""
    from psycopg.rows import dict_row

    from orchestration.warehouse.connection import connect

    with (
        connect(Settings.from_env(), "pipeline") as conn,
        conn.cursor(row_factory=dict_row) as cursor,
    ):
        rows = cursor.execute(
            """
            select created_at as at, tenant_id, coalesce(recipient, 'operator') as "to", subject, body,
                sent_at, attempts, next_attempt_at, error_message
            from reporting.operator_notices
            where kind = 'alert' and (not %s or sent_at is null)
            order by created_at desc, subject limit %s
            """,
            (unsent, limit),
        ).fetchall()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        out = f"mailed {row['sent_at']:%Y-%m-%d %H:%M}" if row["sent_at"] else "not mailed"
        print(f"{row['at']:%Y-%m-%d %H:%M}  to {row['to']}, {out}")
        print(row["body"])
        if row["error_message"]:
            print(f"  Not mailed because: {row['error_message']}")
    if not rows:
        remark("No alerts.")


@app.command()
def summary(
    day: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="A day of METRICPRESS_OPERATOR_TIMEZONE; default: yesterday."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the summary of a day: per tenant and report what was due and what came of it."""
    from orchestration.cli.build import day_from
    from orchestration.delivery.operator_summary import summarize_day
    from orchestration.warehouse.connection import connect

    settings, now = Settings.from_env(), datetime.now(UTC)
    yesterday = now.astimezone(ZoneInfo(settings.operator_timezone)).date() - timedelta(days=1)
    with connect(settings, "pipeline") as conn:
        told = summarize_day(conn, settings, day_from(day) if day else yesterday, now)
        conn.rollback()  # it plans, to find what cannot be planned
    if as_json:
        print_json(told.as_dict())
    else:
        print(told.body)


@app.command()
def tell(as_json: AsJson = False) -> None:
    """Look for alerts now, and mail what is not out yet; the summary of yesterday once, after seven.

    `metricpress deliver` and Dagster do the same.
    """
    import logging

    from orchestration.delivery.operator_mail import tell as tell_operator

    # What the log would say is printed below.
    logging.getLogger("orchestration.delivery.operator").setLevel(logging.CRITICAL)
    settings = Settings.from_env()
    told = tell_operator(settings, datetime.now(UTC))
    if as_json:
        print_json(
            {"alerts": [asdict(alert) for alert in told.alerts], "mails": [asdict(m) for m in told.mails]}
        )
    else:
        for alert in told.alerts:
            print(alert.body)
        rows = [asdict(mail) for mail in told.mails]
        print_table(rows, ("recipient", "subject", "notices", "error"), empty="No mail was due.")
    if settings.operator is None:
        remark("METRICPRESS_OPERATOR is not set: alerts are kept, and mailed to nobody.")
    failed = [mail for mail in told.mails if mail.error]
    if failed:
        raise MetricpressError(
            f"{len(failed)} mails did not go out: {failed[0].error}",
            remedy="They are tried again; metricpress doctor looks at the mail server.",
            exit_code=1,
        )
