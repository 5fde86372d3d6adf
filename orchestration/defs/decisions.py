"""Whether a tick has anything to do, decided in the warm code server by cheap SQL before any run is started.

Belongs here: questions to schema build, and pure functions that turn the answers into days. Does not belong
here: dagster (schedules.py asks, and puts the answer into a run request), and doing the work itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from orchestration.marts.plan import pending

#: After a failed build an unattended refresh waits this long, so that one bad row does not start a run every
#: tick.
PAUSE_AFTER_FAILURE = timedelta(minutes=30)
#: A day is closed one hour after local midnight, when late rows of its last minutes have usually arrived.
CLOSING_HOUR = timedelta(hours=1)
#: After a longer pause only this many last days are named as partitions; the build repairs the older ones
#: too.
LONGEST_CATCH_UP = 31


@dataclass(frozen=True)
class OpenDays:
    """Ended days of one tenant that no completed build has closed, first and last inclusive."""

    tenant_id: str
    first: date
    last: date


@dataclass(frozen=True)
class LastBuild:
    """The newest build, None for both when there was none, and whether anything waits for the next one."""

    status: str | None
    finished_at: datetime | None
    pending: bool


# A completed build has closed every day that had ended by its as_of. The last day to close is the one that
# ended at least `closing` ago, or the last day before the tenant's clock was stopped.
_OPEN_DAYS = """
with clocks as (
    select
        t.tenant_id,
        t.timezone,
        least(
            (%(now)s - %(closing)s) at time zone t.timezone,
            s.clock_stops_at at time zone t.timezone
        )::date - 1 as due_day
    from raw.tenants as t
    left join reporting.tenant_settings as s on t.tenant_id = s.tenant_id
    where t.deleted_at is null and raw.is_timezone(t.timezone)
),

closed as (
    select
        c.tenant_id,
        c.due_day,
        max(
            coalesce(
                (b.as_of at time zone c.timezone)::date,
                b.as_of_date + 1,
                (b.started_at at time zone c.timezone)::date
            )
        ) - 1 as closed_day
    from clocks as c
    left join build.builds as b
        on b.status = 'complete' and (b.tenant_id is null or b.tenant_id = c.tenant_id)
    group by c.tenant_id, c.due_day
)

select tenant_id, coalesce(closed_day + 1, due_day) as first_day, due_day
from closed
where closed_day is null or closed_day < due_day
order by tenant_id
"""

_NEWEST_BUILD = "select status, finished_at from build.builds order by started_at desc limit 1"


def open_days(conn: psycopg.Connection[Any], now: datetime) -> list[OpenDays]:
    """Days that have ended by `now`, tenant by tenant, and that no completed build covers."""
    rows = conn.execute(_OPEN_DAYS, {"now": now, "closing": CLOSING_HOUR}).fetchall()
    return [OpenDays(*row) for row in rows]


def last_build(conn: psycopg.Connection[Any]) -> LastBuild:
    """The newest build, and whether changed raw rows, or what a failed build left, wait for the next one."""
    waiting = pending(conn)
    status, finished_at = conn.execute(_NEWEST_BUILD).fetchone() or (None, None)
    return LastBuild(status, finished_at, bool(waiting["has_changes"] or waiting["has_leftovers"]))


def days_to_close(days: Iterable[OpenDays], newest: date) -> tuple[date, date] | None:
    """The range of partitions that closes all open days; None when there are none.

    `newest` is the newest partition there is; the range never spans more than LONGEST_CATCH_UP days.
    """
    spans = [(d.first, min(d.last, newest)) for d in days if d.first <= newest]
    if not spans:
        return None
    last = max(span[1] for span in spans)
    first = max(min(span[0] for span in spans), last - timedelta(days=LONGEST_CATCH_UP - 1))
    return first, last


def reason_not_to_refresh(build: LastBuild, now: datetime) -> str | None:
    """Why the intraday refresh has nothing to do at `now`; None when it should run."""
    if not build.pending:
        return "no raw row has changed since the last build"
    if build.status == "failed" and build.finished_at is not None:
        again = build.finished_at + PAUSE_AFTER_FAILURE
        if now < again:
            return f"the last build failed; the next attempt is after {again:%H:%M} UTC"
    return None
