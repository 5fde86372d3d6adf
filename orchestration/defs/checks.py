"""Checks of what no single dbt test can see: the marts as a whole, and tenants' data as the models judged it.

Belongs here: asset checks that read what builds recorded. Does not belong here: tests of one model, which are
dbt's and become asset checks by themselves (dbt.py).
"""

from collections.abc import Collection

import dagster as dg

from orchestration.defs.metadata import markdown_table
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

DAILY_METRICS = dg.AssetKey(["marts", "daily_metrics"])
DATA_PROBLEMS = dg.AssetKey(["marts", "data_problems"])
#: Rows of problems shown in one event.
SHOWN = 50


@dg.asset_check(asset=DAILY_METRICS, name="marts_of_one_build")
def marts_of_one_build(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """All marts carry the id of the newest build: reports wait while they do not."""
    with connect(settings, "pipeline") as conn:
        rows = conn.execute(
            """
            select m.mart, m.build_id::text, m.built_at
            from build.mart_state as m
            where m.build_id <> (select build_id from build.builds order by started_at desc limit 1)
            order by m.built_at, m.mart
            """
        ).fetchall()
    behind = [
        {"mart": mart, "build": build, "built at": f"{at:%Y-%m-%d %H:%M} UTC"} for mart, build, at in rows
    ]
    return dg.AssetCheckResult(
        passed=not behind, severity=dg.AssetCheckSeverity.ERROR, metadata={"behind": markdown_table(behind)}
    )


@dg.asset_check(asset=DATA_PROBLEMS, name="no_data_problems")
def no_data_problems(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """What the models found wrong with tenants' data, with the remedy; never stops another tenant."""
    with connect(settings, "pipeline") as conn:
        rows = conn.execute(
            "select tenant_id, severity, table_name, key, message, remedy, count(*) over ()"
            " from marts.data_problems order by severity, tenant_id, table_name, key limit %s",
            (SHOWN,),
        ).fetchall()
    names = ("tenant", "severity", "table", "key", "message", "remedy")
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "problems": rows[0][-1] if rows else 0,
            "first problems": markdown_table([dict(zip(names, row[:-1], strict=True)) for row in rows]),
        },
    )


CHECKS = (marts_of_one_build, no_data_problems)


def checks_for(keys: Collection[dg.AssetKey]) -> list[dg.AssetChecksDefinition]:
    """The checks whose asset is among `keys`."""
    return [check for check in CHECKS if {spec.asset_key for spec in check.check_specs} <= set(keys)]
