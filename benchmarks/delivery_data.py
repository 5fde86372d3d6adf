"""What the delivery benchmark sends: tenants, subscriptions, and documents that are already rendered.

Belongs here: rows and files. Does not belong here: measuring.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]


def add_subscriptions(conn: Connection, tenants: int, subscriptions: int, starts_on: str) -> None:
    """`subscriptions` daily reports at 09:00 UTC, spread evenly over the tenants, one recipient each."""
    conn.execute(
        "insert into raw.tenants (tenant_id, name) "
        "select 't' || n, 'Tenant ' || n from generate_series(1, %s) as n",
        (tenants,),
    )
    conn.execute(
        """
        insert into reporting.report_subscriptions
            (tenant_id, name, report, frequency, recipients, starts_on, timezone)
        select 't' || (n %% %(tenants)s + 1), 'report ' || n, 'executive', 'daily',
            array['person' || n || '@example.com'], %(starts_on)s, 'UTC'
        from generate_series(1, %(subscriptions)s) as n
        """,
        {"tenants": tenants, "subscriptions": subscriptions, "starts_on": starts_on},
    )


def add_renditions(conn: Connection, folder: Path, each: int, kilobytes: int) -> None:
    """Make every pending delivery ready with files on disk; `each` deliveries of a tenant share theirs."""
    rows = conn.execute(
        """
        select tenant_id, array_agg(delivery_id order by delivery_id)
        from reporting.report_deliveries where delivery_status = 'pending'
        group by tenant_id order by tenant_id
        """
    ).fetchall()
    for tenant_id, deliveries in rows:
        for start in range(0, len(deliveries), each):
            _add_rendition(conn, folder, tenant_id, deliveries[start : start + each], kilobytes)


def _add_rendition(
    conn: Connection, folder: Path, tenant_id: str, deliveries: list[Any], kilobytes: int
) -> None:
    key = f"{tenant_id}-{deliveries[0]}"
    chance = random.Random(key)
    contents = {
        "pdf": chance.randbytes(kilobytes * 1000),
        "mail.txt": ("A figure of this report and its meaning in words.\n" * 30).encode(),
        "mail.html": ("<p>A figure of this report and its meaning in words.</p>\n" * 150).encode(),
    }
    entries = []
    for name, content in contents.items():
        path = folder / key / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append({"format": name, "path": str(path), "bytes": len(content), "sha256": digest})
    entries[1]["subject"] = f"Executive report: {tenant_id}"
    conn.execute(
        """
        update reporting.report_deliveries
        set delivery_status = 'ready', files = %s, render_key = %s, data_version = gen_random_uuid()::text,
            report_data = (select jsonb_object_agg('figure_' || n, n * 1.5) from generate_series(1, 100) as n)
        where tenant_id = %s and delivery_id = any(%s)
        """,
        (Jsonb(entries), key, tenant_id, deliveries),
    )


def reset(conn: Connection) -> None:
    """As if nothing had been sent."""
    conn.execute(
        """
        update reporting.report_deliveries set delivery_status = 'ready', attempts = 0, delivered_at = null,
            claimed_by = null, message_id = null
        """
    )
    conn.execute("update reporting.report_occurrences set state = 'pending', closed_at = null")
    conn.execute("vacuum analyze reporting.report_deliveries")
    conn.execute("vacuum analyze reporting.report_occurrences")
    conn.execute("checkpoint")


def add_history(conn: Connection, days: int) -> None:
    """Let everything planned have been sent, and so on each of `days` days before."""
    conn.execute(
        """
        with old as (
            insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,
                report_period_start, report_period_end, due_at, give_up_at, state, closed_at)
            select o.tenant_id, o.subscription_id, o.local_date - n, o.report_period_start - n,
                o.report_period_end - n, o.due_at - n * interval '1 day', o.give_up_at - n * interval '1 day',
                'sent', o.due_at
            from reporting.report_occurrences as o cross join generate_series(1, %s) as n
            returning tenant_id, subscription_id, occurrence_id
        )
        insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient,
            delivery_status, attempts, delivered_at, files, render_key)
        select o.tenant_id, o.occurrence_id, 'email', s.recipients[1], 'sent', 1, now(), '[{}]',
            o.occurrence_id
        from old as o join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        """,
        (days,),
    )
    conn.execute("update reporting.report_deliveries set delivery_status = 'sent', delivered_at = now()")
    conn.execute("update reporting.report_occurrences set state = 'sent', closed_at = now()")
    for table in ("report_deliveries", "report_occurrences", "report_subscriptions"):
        conn.execute(f"vacuum analyze reporting.{table}")
