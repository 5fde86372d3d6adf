"""Whether a tenant's marts can carry a report: they cover its period, come from one finished build, and hold.

Belongs here: the judgement and its reason in words. Does not: what happens to a report that waits (service).
Read it in the transaction that renders, so that what was judged is what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

Connection = psycopg.Connection[Any]

#: In place of a tenant: a check whose failing rows tell of no tenant holds everybody's reports.
EVERYBODY = "(all)"


@dataclass(frozen=True)
class Readiness:
    """`data_version`: the build the marts come from. `reason`: why a report waits, empty when it need not."""

    data_version: str | None
    reason: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether reports may be rendered from these marts."""
        return not self.reason


def readiness(conn: Connection, tenant_id: str, period_end: date) -> Readiness:
    """Judge the marts for one tenant and a period that ends with `period_end` (inclusive, tenant-local)."""
    version = _one_build(conn)
    if not version.is_ready:
        return version
    covered = conn.execute(
        "select complete_date from marts.tenants where tenant_id = %s", (tenant_id,)
    ).fetchone()
    if covered is None:
        return Readiness(version.data_version, f"the marts have no rows of tenant {tenant_id} yet")
    if covered[0] < period_end:
        return Readiness(
            version.data_version, f"the marts are complete to {covered[0]}, the report needs {period_end}"
        )
    return Readiness(version.data_version, _failed_checks(conn, tenant_id, version.data_version))


def _one_build(conn: Connection) -> Readiness:
    known = conn.execute(
        "select to_regclass('marts.tenants') is not null and exists (select from build.mart_state)"
    ).fetchone()
    if known is None or not known[0]:
        return Readiness(None, "the marts have not been built yet (metricpress build)")
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
        return Readiness(None, "a build is running")
    if newest["status"] == "failed":
        why = " ".join((newest["error"] or "see its log").split())[:200]
        return Readiness(None, f"the last build failed: {why}")
    if len(builds) > 1:
        older = builds[1]
        return Readiness(None, f"{older['marts']} marts are of an earlier build, such as {older['mart']}")
    return Readiness(newest["build_id"])


def _failed_checks(conn: Connection, tenant_id: str, build_id: str | None) -> str:
    failed = conn.execute(
        """
        select mart, check_name, failed_rows from reporting.check_results
        where tenant_id in (%s, %s) and build_id = %s and severity = 'error' and failed_rows > 0
        order by mart, check_name
        """,
        (tenant_id, EVERYBODY, build_id),
    ).fetchall()
    if not failed:
        return ""
    mart, check, rows = failed[0]
    others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"data check {check} on {mart} failed with {rows} rows{others}"
