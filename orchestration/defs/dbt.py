"""The dbt models as assets: one multi-asset, because one build makes all marts under one build id.

Belongs here: how dbt nodes look in the UI (key, group, owner, kinds, freshness) and how a run enters a build
and streams dbt's events. Does not belong here: what a build repairs and how it is recorded
(orchestration/marts).
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import dagster as dg
import psycopg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtProject,
    dbt_assets,
)

from orchestration.defs.metadata import table_facts, table_metadata
from orchestration.defs.partitions import DAYS, days_of_run
from orchestration.defs.resources import BuildOpener
from orchestration.defs.retries import TRANSIENT_RETRIES, retrying_only_transient
from orchestration.defs.sources import observed
from orchestration.marts.build import Build, record_backfill
from orchestration.marts.dbt import NodeResult, run_dbt
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import TABLES

POOL = "dbt"
TABLE_MATERIALIZATIONS = ("incremental", "table")
DEFAULT_OWNER = "team:data"
#: A run with this tag was started by a schedule, any other with days by a person.
SCHEDULE_NAME_TAG = "dagster/schedule_name"
#: States of a data test that ran: others were not reached, and say nothing about the rows.
CHECKED = ("pass", "warn", "fail")
#: A mart is rebuilt at least once a day; later than that a person should look.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=30), warn_window=timedelta(hours=26))

Event = dg.MaterializeResult[None] | dg.AssetCheckResult


class Translator(DagsterDbtTranslator):
    """How a dbt node looks as an asset."""

    def __init__(self, project: DbtProject) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True, enable_code_references=True)
        )
        self._project = project

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The domain of a model; for a model outside a domain folder its layer."""
        return group_of(dbt_resource_props)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The role named under `meta.owner` (or `config.meta.owner`) of the model, else the data team."""
        return [meta_of(dbt_resource_props).get("owner", DEFAULT_OWNER)]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's own description; its SQL is one click away as a code reference."""
        return str(dbt_resource_props.get("description") or "")

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """The asset of a node: tables have days, views none; the build's own state is no asset upstream."""
        # dagster-dbt hands no project over when it turns dbt's events into assets, yet asks for one.
        spec = super().get_asset_spec(manifest, unique_id, project or self._project)
        node = self.get_resource_props(manifest, unique_id)
        if node["resource_type"] != "model":
            return spec
        materialized = node["config"]["materialized"]
        is_table = materialized in TABLE_MATERIALIZATIONS
        return spec.replace_attributes(
            deps=[dep for dep in spec.deps if dep.asset_key.path[0] != "build"],
            kinds={"dbt", "postgres", "table" if is_table else "view"},
            tags={**spec.tags, "layer": layer_of(node)},
            partitions_def=DAYS if is_table else None,
            freshness_policy=FRESHNESS if layer_of(node) == "marts" else None,
        )

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """A dbt test as a check; whether its failure fails the build is for the build to say."""
        check = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if check is None:
            return None
        test = manifest["nodes"][unique_id]
        return check._replace(blocking=False, description=test.get("description") or check.description)


def meta_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `meta` of a dbt node, wherever the version of dbt keeps it."""
    return node.get("config", {}).get("meta") or node.get("meta") or {}


def layer_of(node: Mapping[str, Any]) -> str:
    """staging, intermediate or marts: the first folder of a model."""
    return str(node["fqn"][1])


def group_of(node: Mapping[str, Any]) -> str:
    """The domain folder of a model, its layer when it lies in none; a source's name."""
    if node["resource_type"] == "source":
        return str(node["source_name"])
    folders = node["fqn"][1:-1]
    return str(folders[1] if len(folders) > 1 else folders[0] if folders else "seeds")


def dbt_in_thread(build: Build, variables: Mapping[str, str], project_dir: Path) -> Iterator[str]:
    """Run dbt and yield the unique id of each model made; its results are put into the build.

    In this process: one of its own would import dbt a second time, and be asked for its version. In a thread:
    models show while others are made, and a run that is terminated does not wait for them.
    """
    made: SimpleQueue[str | None] = SimpleQueue()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            build.results = run_dbt(
                build.dbt_args, {**build.environment, **variables}, made=made.put, project_dir=project_dir
            )
        except BaseException as error:  # told to the run by the thread that waits
            failure.append(error)
        finally:
            made.put(None)

    Thread(target=work, name="dbt", daemon=True).start()
    yield from iter(made.get, None)
    if failure:
        raise failure[0]


def check_result(result: NodeResult, key: dg.AssetCheckKey) -> dg.AssetCheckResult:
    """What dagster is told of a data test."""
    return dg.AssetCheckResult(
        passed=result.status == "pass",
        asset_key=key.asset_key,
        check_name=key.name,
        severity=dg.AssetCheckSeverity.ERROR if result.status == "fail" else dg.AssetCheckSeverity.WARN,
        metadata={
            "unique_id": result.unique_id,
            "status": result.status,
            "failed_rows": result.failures,
            "Execution Duration": result.seconds,
        },
    )


def model_facts(node: Mapping[str, Any], conn: psycopg.Connection[Any]) -> Mapping[str, Any]:
    """Row count and plot of a model's table; nothing for a view."""
    if node["config"]["materialized"] not in TABLE_MATERIALIZATIONS:
        return {}
    return table_metadata(table_facts(conn, node["schema"], node["alias"]))


def assets_by_key(
    assets: dg.AssetsDefinition, manifest: Mapping[str, Any]
) -> Mapping[dg.AssetKey, Mapping[str, Any]]:
    """dbt's node of each asset."""
    return {spec.key: manifest["nodes"][spec.metadata["dagster_dbt/unique_id"]] for spec in assets.specs}


def read_manifest(path: Path) -> Mapping[str, Any]:
    """dbt's description of the project, read once an import."""
    manifest: Mapping[str, Any] = json.loads(path.read_text())
    return manifest


def unchanged(
    context: dg.AssetExecutionContext, manifest: Mapping[str, Any], conn: psycopg.Connection[Any]
) -> Iterator[dg.MaterializeResult[None]]:
    """Events for a build that had nothing to do: what was asked for holds already."""
    for key, node in assets_by_key(context.assets_def, manifest).items():
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata={"unchanged": True, **model_facts(node, conn)})


def log_raw_rows(context: dg.AssetExecutionContext, conn: psycopg.Connection[Any]) -> None:
    """After a run for all models, observe the raw tables they were made from."""
    if context.is_subset:
        return
    for key, facts in observed(conn, TABLES):
        context.log_event(dg.AssetObservation(asset_key=key, metadata=facts))


def mart_assets(
    project: DbtProject, manifest: Mapping[str, Any], translator: Translator
) -> dg.AssetsDefinition:
    """All dbt models of `project` as one multi-asset."""

    @dbt_assets(
        manifest=manifest,
        project=project,
        name="marts",
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_dbt_translator=translator,
        retry_policy=TRANSIENT_RETRIES,
        pool=POOL,
    )
    def marts(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        open_build: dg.ResourceParam[BuildOpener],
    ) -> Iterator[Event]:
        """Build all marts; report events for what was selected.

        The whole project is built whatever is selected: marts of two builds must not stand side by side.
        """
        target = settings.home / "dbt" / f"run-{context.run.run_id[:8]}-{context.retry_number}"
        days = days_of_run(context.run.tags)
        if days is not None and SCHEDULE_NAME_TAG not in context.run.tags and not context.retry_number:
            with connect(settings, "pipeline") as conn:
                record_backfill(conn, days)
        with (
            retrying_only_transient(),
            open_build(settings, forced=days) as build,
            connect(settings, "pipeline", autocommit=True) as conn,
        ):
            context.log.info(
                "build %s: %s", build.build_id, "nothing changed" if build.is_empty else "dbt build"
            )
            if build.is_empty:
                yield from unchanged(context, manifest, conn)
                return
            keys = {
                node["unique_id"]: key
                for key, node in assets_by_key(context.assets_def, manifest).items()
                if key in context.selected_asset_keys
            }
            # Where dbt finds the partial parse that goes with the manifest; logs go to the run's folder.
            variables = {"DBT_TARGET_PATH": str(project.target_path), "DBT_LOG_PATH": str(target)}
            for unique_id in dbt_in_thread(build, variables, Path(project.project_dir)):
                if unique_id in keys:
                    facts = model_facts(manifest["nodes"][unique_id], conn)
                    yield dg.MaterializeResult(
                        asset_key=keys[unique_id], metadata={"unique_id": unique_id, **facts}
                    )
            checks = {key.name: key for key in context.selected_asset_check_keys}
            for outcome in build.results:
                if outcome.kind == "test" and outcome.name in checks and outcome.status in CHECKED:
                    yield check_result(outcome, checks[outcome.name])
            log_raw_rows(context, conn)
        shutil.rmtree(target, ignore_errors=True)  # a failed run keeps its logs

    return marts
