"""Upkeep of the ledger: what was left behind, what may not go out, what has ended.

Belongs here: recovery after dead dispatchers, recipients and figures that may not go out any more, missed
occurrences, final states. Does not: claims and outcomes of a dispatcher (ledger). Each function returns the
deliveries it changed, and any number of dispatchers may call it at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from orchestration.delivery.channels import REPEATABLE
from orchestration.delivery.planning import MISSED, SUPERSEDED
from orchestration.delivery.readiness import EVERYBODY
from orchestration.delivery.records import (
    BATCH,
    DISPATCHER_LOCKS,
    GIVE_UP_AT,
    OPEN,
    ORPHANED,
    Promise,
    batch_values,
)

Connection = psycopg.Connection[Any]

#: Found open so long after its give_up_at, an occurrence was missed: no dispatcher ran.
MISSED_AFTER = timedelta(hours=1)
PAUSED = "the subscription was paused when its time ended"

_MARK_LATE = f"""
    update reporting.report_occurrences as o set is_late = true
    from reporting.report_subscriptions as s
    where o.state = 'pending' and not o.is_late and o.due_at <= %(now)s
        and s.tenant_id = o.tenant_id and s.subscription_id = o.subscription_id
        and {GIVE_UP_AT} < %(now)s
        and (%(tenant)s::text is null or o.tenant_id = %(tenant)s)
"""
_DROP_MISSED = f"""
    with missed as (
        select o.tenant_id, o.occurrence_id, case
                when not s.is_active then %(paused)s
                when s.misfire_policy = 'skip' then %(missed)s
                else %(superseded)s
            end as reason
        from reporting.report_occurrences as o
        join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        where o.state = 'pending' and o.due_at <= %(now)s and o.origin = 'schedule'
            and (%(tenant)s::text is null or o.tenant_id = %(tenant)s)
            and {GIVE_UP_AT} <= %(now)s
            and (not s.is_active or {GIVE_UP_AT} < %(missed_before)s and (
                s.misfire_policy = 'skip' or exists (
                    select from reporting.report_occurrences as n
                    where n.tenant_id = o.tenant_id and n.subscription_id = o.subscription_id
                        and n.origin = 'schedule' and n.due_at <= %(now)s
                        and (n.due_at, n.local_date) > (o.due_at, o.local_date)
                        and n.state <> 'skipped'
                )
            ))
    ),
    reasoned as (
        update reporting.report_occurrences as o set reason = m.reason from missed as m
        where o.tenant_id = m.tenant_id and o.occurrence_id = m.occurrence_id
    )
    update reporting.report_deliveries as d set
        delivery_status = case when d.delivery_status = 'failed' then 'failed' else 'skipped' end,
        error_message = concat_ws('; ', d.error_message, m.reason), next_attempt_at = null
    from missed as m
    where d.tenant_id = m.tenant_id and d.occurrence_id = m.occurrence_id
        and d.delivery_status not in ('rendering', 'sending') and {OPEN}
    returning d.delivery_id
"""


def recover(conn: Connection) -> set[UUID]:
    """Take over what dispatchers that died left behind.

    A message that was being sent may have arrived: it becomes unknown. A rendering, or a file that a second
    attempt would overwrite with the same content, is done again.
    """
    return _changed(
        conn,
        f"""
        update reporting.report_deliveries as d set
            delivery_status = case
                when delivery_status = 'rendering' then 'pending'
                when channel = any(%(repeatable)s) then 'ready'
                else 'unknown'
            end,
            error_message = case
                when delivery_status = 'sending' and channel <> all(%(repeatable)s)
                    then 'the dispatcher ended while it was sending'
            end
        where {ORPHANED}
        returning d.delivery_id
        """,
        {"repeatable": list(REPEATABLE), "locks": DISPATCHER_LOCKS},
    )


def drop_missed(conn: Connection, now: datetime, tenant: str | None = None) -> set[UUID]:
    """Skip what nobody dispatched in its time; mark as late what is over its time and still goes out.

    MISSED_AFTER its give_up_at the misfire policy decides as it does in planning: `skip` sends nothing more,
    `catch_up` only the newest. What a pause held back is skipped when its time ends.
    """
    values = {
        "now": now, "missed_before": now - MISSED_AFTER, "tenant": tenant,
        "paused": PAUSED, "missed": MISSED, "superseded": SUPERSEDED,
    }  # fmt: skip
    conn.execute(_MARK_LATE, values)
    return _changed(conn, _DROP_MISSED, values)


def screen(conn: Connection, batch: Sequence[Promise]) -> set[UUID]:
    """Take out the recipients of `batch` who may not be written to, with the reason."""
    return _changed(
        conn,
        f"""
        update reporting.report_deliveries as d set
            delivery_status = case when x.reason is null then 'failed' else 'skipped' end,
            error_class = case when x.reason is null then 'permanent' end,
            error_message = coalesce(
                'suppressed since ' || x.since::date || ': ' || x.reason,
                'mail is allowed to ' || array_to_string(c.allowed_recipient_domains, ', ') || ' only'
            ),
            next_attempt_at = null
        from {BATCH}
        join reporting.report_occurrences as o using (tenant_id, occurrence_id)
        join reporting.report_deliveries as own using (tenant_id, occurrence_id)
        left join reporting.suppressions as x
            on x.tenant_id = own.tenant_id and x.recipient = lower(own.recipient)
            and (x.subscription_id is null or x.subscription_id = o.subscription_id)
        left join reporting.tenant_settings as c on c.tenant_id = own.tenant_id
        where d.tenant_id = own.tenant_id and d.delivery_id = own.delivery_id
            and d.delivery_status not in ('rendering', 'sending') and {OPEN}
            and (
                x.reason is not null
                or d.channel = 'email' and c.allowed_recipient_domains is not null
                    and split_part(lower(d.recipient), '@', 2)
                        <> all(array(select lower(a) from unnest(c.allowed_recipient_domains) as a))
            )
        returning d.delivery_id
        """,
        batch_values(batch),
    )


def retract(conn: Connection, batch: Sequence[Promise]) -> set[UUID]:
    """Take back renderings of `batch` whose own build has failed a blocking check since: they wait again."""
    return _changed(
        conn,
        f"""
        update reporting.report_deliveries as d set
            delivery_status = 'pending', next_attempt_at = null, progress = null, files = '[]',
            report_data = null, data_version = null, template_version = null, render_key = null
        from {BATCH}
        join reporting.report_deliveries as own using (tenant_id, occurrence_id)
        where d.tenant_id = own.tenant_id and d.delivery_id = own.delivery_id
            and d.delivery_status not in ('rendering', 'sending') and {OPEN}
            and d.data_version is not null and exists (
                select from reporting.check_results as r
                where r.tenant_id in (d.tenant_id, %(everybody)s) and r.build_id = d.data_version::uuid
                    and r.severity = 'error' and r.failed_rows > 0
            )
        returning d.delivery_id
        """,
        batch_values(batch) | {"everybody": EVERYBODY},
    )


def close_occurrences(conn: Connection, batch: Iterable[Promise] | None = None) -> None:
    """Give their final state to occurrences whose deliveries have all come to an end.

    Of `batch`, or of all: a dispatcher may have died between the last delivery and this. Of a recipient
    who was sent to again the newest attempt group counts.
    """
    keys = None if batch is None else [promise.occurrence_id for promise in batch]
    conn.execute(
        f"""
        with newest as (
            select distinct on (d.tenant_id, d.occurrence_id, d.channel, d.recipient)
                d.tenant_id, d.occurrence_id, d.delivery_status, d.kind, {OPEN} as is_open,
                d.delivery_status = 'skipped' and d.error_message like 'suppressed since %%' as is_suppressed,
                o.updated_at
            from reporting.report_occurrences as o
            join reporting.report_deliveries as d using (tenant_id, occurrence_id)
            where o.state = 'pending' and (%(keys)s::uuid[] is null or o.occurrence_id = any(%(keys)s))
            order by d.tenant_id, d.occurrence_id, d.channel, d.recipient, d.attempt_group desc
        ),
        ended as (
            select tenant_id, occurrence_id, updated_at, case
                    when bool_or(delivery_status = 'held') then 'held'
                    when bool_and(delivery_status = 'skipped') then 'skipped'
                    when bool_and(delivery_status in ('sent', 'skipped'))
                        then case when bool_or(kind = 'notice') then 'notified' else 'sent' end
                    when bool_or(delivery_status = 'sent') then 'partial'
                    else 'failed'
                end as state,
                bool_and(is_suppressed) as is_suppressed
            from newest group by tenant_id, occurrence_id, updated_at having not bool_or(is_open)
        )
        update reporting.report_occurrences as o set
            state = e.state,
            reason = case
                when e.is_suppressed then 'every recipient is suppressed'
                when e.state in ('held', 'notified', 'skipped') then o.reason
            end,
            closed_at = case when e.state <> 'held' then clock_timestamp() end
        from ended as e
        where o.tenant_id = e.tenant_id and o.occurrence_id = e.occurrence_id and o.state = 'pending'
            and o.updated_at = e.updated_at  -- else a person asked for it again meanwhile
        """,
        {"keys": keys},
    )


def _changed(conn: Connection, statement: str, values: dict[str, Any]) -> set[UUID]:
    return {row[0] for row in conn.execute(statement, values).fetchall()}
