"""The raw tables as external assets: other systems fill them, metricpress observes them.

Belongs here: one asset a table of the raw contract, and the observation that counts its rows. Does not belong
here: loading (orchestration/sources) and the tables' columns (orchestration/warehouse/contract.py).
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql

from orchestration.defs.metadata import row_count
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import TABLES, RawTable

GROUP = "raw"
OWNER = "team:data"


def raw_key(table: str) -> dg.AssetKey:
    """The key of a raw table; dbt's sources of the same name are the same asset."""
    return dg.AssetKey(["raw", table])


def raw_spec(table: RawTable) -> dg.AssetSpec:
    """One raw table as an asset with its columns."""
    columns = [
        dg.TableColumn(c.name, c.type, constraints=dg.TableColumnConstraints(nullable=not c.required))
        for c in table.all_columns
    ]
    return dg.AssetSpec(
        raw_key(table.name),
        group_name=GROUP,
        owners=[OWNER],
        kinds={"postgres", "table"},
        description=f"Table `raw.{table.name}` of the raw contract, key ({', '.join(table.primary_key)}). "
        f"Fill it with `metricpress load {table.name} FILE...` or any other tool.",
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": f"raw.{table.name}",
        },
    )


def other_specs(manifest: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """Tables the models read beside the raw ones, such as targets; the build's own state is not shown."""
    return [
        dg.AssetSpec(
            dg.AssetKey([source["source_name"], source["name"]]),
            group_name=source["source_name"],
            owners=["team:reporting"],
            kinds={"postgres", "table"},
            description=source["description"],
        )
        for source in manifest["sources"].values()
        if source["source_name"] not in (GROUP, "build")
    ]


def raw_facts(conn: psycopg.Connection[Any], table: str) -> dict[str, Any]:
    """Rows and the newest `loaded_at` of one raw table; a large table only its estimated rows."""
    rows, is_estimate = row_count(conn, "raw", table)
    facts: dict[str, Any] = {"dagster/row_count": rows}
    if is_estimate:
        facts["row_count_is_estimate"] = True
    elif rows:
        newest = conn.execute(
            sql.SQL("select max(loaded_at) from {}").format(sql.Identifier("raw", table))
        ).fetchone()
        facts["newest_loaded_at"] = newest[0].isoformat() if newest else ""
    return facts


def observed(
    conn: psycopg.Connection[Any], tables: Iterable[str]
) -> Iterator[tuple[dg.AssetKey, dict[str, Any]]]:
    """Key and facts of each of `tables`, rejected rows included."""
    rejected = dict(
        conn.execute("select table_name, count(*) from raw.rejected_rows group by table_name").fetchall()
    )
    for table in tables:
        yield raw_key(table), {**raw_facts(conn, table), "rejected_rows": rejected.get(table, 0)}


# The decorator is marked beta; its warning would come up at every import of the code location.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)

    @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
        name="raw_tables", specs=[raw_spec(table) for table in TABLES.values()], can_subset=True
    )
    def raw_tables(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.ObserveResult]:
        """Count the rows of the selected raw tables."""
        tables = [table for table in TABLES if raw_key(table) in context.selected_asset_keys]
        with connect(settings, "pipeline") as conn:
            for key, facts in observed(conn, tables):
                yield dg.ObserveResult(asset_key=key, metadata=facts)
