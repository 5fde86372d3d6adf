"""Whether a tenant's marts can carry a report: they cover its period, come from one finished build, and hold.

Belongs here: the judgement and its reason in words. Does not: what happens to a report that waits (service),
and what its recipients are told (notice).
Read it in the transaction that renders, so that what was judged is what is shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

Connection = psycopg.Connection[Any]

#: In place of a tenant: a check whose failing rows tell of no tenant holds everybody's reports.
EVERYBODY = "(all)"

#: unbuilt: no marts, or none of this tenant. incomplete: days are missing. unchecked: a check failed or the
#: build did. building: a build is under way or stopped between marts.
Cause = Literal["", "unbuilt", "incomplete", "unchecked", "building"]


@dataclass(frozen=True)
class Readiness:
    """`data_version`: the build the marts come from. `reason`: why a report waits, empty when it need not.

    `cause`: the kind of reason, for words to recipients. `complete_through`: the tenant's last complete day
    (inclusive), where the marts know it.
    """

    data_version: str | None
    reason: str = ""
    cause: Cause = ""
    complete_through: date | None = None

    @property
    def is_ready(self) -> bool:
        """Whether reports may be rendered from these marts."""
        return not self.reason


def readiness(conn: Connection, tenant_id: str, period_end: date) -> Readiness:
    """Judge the marts for one tenant and a period that ends with `period_end` (inclusive, tenant-local)."""
    return judge(conn, [(tenant_id, period_end)])[tenant_id, period_end]


def judge(conn: Connection, asked: Collection[tuple[str, date]]) -> dict[tuple[str, date], Readiness]:
    """`readiness` of many tenants and periods by the same few statements."""
    if not asked:
        return {}
    if not _are_built(conn):
        unbuilt = Readiness(None, "the marts have not been built yet (metricpress build)", "unbuilt")
        return dict.fromkeys(asked, unbuilt)
    version = _one_build(conn)
    tenants = sorted({tenant_id for tenant_id, _ in asked})
    covered: dict[str, date] = dict(
        conn.execute(
            "select tenant_id, complete_date from marts.tenants where tenant_id = any(%s)", (tenants,)
        ).fetchall()
    )
    failed = _failed_checks(conn, tenants, version.data_version) if version.is_ready else {}
    return {
        (tenant_id, period_end): _of_tenant(version, tenant_id, period_end, covered.get(tenant_id), failed)
        for tenant_id, period_end in asked
    }


def _of_tenant(
    version: Readiness, tenant_id: str, period_end: date, complete: date | None, failed: dict[str, str]
) -> Readiness:
    build = version.data_version
    if not version.is_ready:
        return Readiness(None, version.reason, version.cause, complete)
    if complete is None:
        return Readiness(build, f"the marts have no rows of tenant {tenant_id} yet", "unbuilt")
    if complete < period_end:
        reason = f"the marts are complete to {complete}, the report needs {period_end}"
        return Readiness(build, reason, "incomplete", complete)
    reason = failed.get(tenant_id) or failed.get(EVERYBODY, "")
    return Readiness(build, reason, "unchecked" if reason else "", complete)


def _are_built(conn: Connection) -> bool:
    known = conn.execute(
        "select to_regclass('marts.tenants') is not null and exists (select from build.mart_state)"
    ).fetchone()
    return known is not None and bool(known[0])


def _one_build(conn: Connection) -> Readiness:
    with conn.cursor(row_factory=dict_row) as cursor:
        builds = cursor.execute(
            """
            select m.build_id::text as build_id, b.status, b.error, count(*) as marts, min(m.mart) as mart
            from build.mart_state as m join build.builds as b using (build_id)
            group by m.build_id, b.status, b.error, b.started_at order by b.started_at desc
            """
        ).fetchall()
    newest = builds[0]
    if newest["status"] == "running":
        return Readiness(None, "a build is running", "building")
    if newest["status"] == "failed":
        why = " ".join((newest["error"] or "see its log").split())[:200]
        return Readiness(None, f"the last build failed: {why}", "unchecked")
    if len(builds) > 1:
        older = builds[1]
        reason = f"{older['marts']} marts are of an earlier build, such as {older['mart']}"
        return Readiness(None, reason, "building")
    return Readiness(newest["build_id"])


def _failed_checks(conn: Connection, tenants: list[str], build_id: str | None) -> dict[str, str]:
    """Tenant -> the first failed blocking check in words."""
    failed = conn.execute(
        """
        select tenant_id, (array_agg(mart order by mart, check_name))[1],
            (array_agg(check_name order by mart, check_name))[1],
            (array_agg(failed_rows order by mart, check_name))[1], count(*)
        from reporting.check_results
        where tenant_id = any(%s) and build_id = %s and severity = 'error' and failed_rows > 0
        group by tenant_id
        """,
        ([*tenants, EVERYBODY], build_id),
    ).fetchall()
    return {
        tenant_id: f"data check {check} on {mart} failed with {rows} rows"
        + (f" and {count - 1} more" if count > 1 else "")
        for tenant_id, mart, check, rows, count in failed
    }
