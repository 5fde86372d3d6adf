"""The dbt models as assets: one multi-asset, because one build makes all marts under one build id.

Belongs here: how dbt nodes look in the UI (key, group, owner, kinds, freshness) and how a run enters a build
and streams dbt's events. Does not belong here: what a build repairs and how it is recorded
(orchestration/marts).
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

from orchestration.defs.metadata import table_facts, table_metadata
from orchestration.defs.partitions import DAYS, days_of_run
from orchestration.defs.resources import BuildOpener
from orchestration.defs.retries import TRANSIENT_RETRIES, retrying_only_transient
from orchestration.defs.sources import observed
from orchestration.errors import MetricpressError
from orchestration.marts.dbt import NodeResult, node_result_from_json
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import TABLES

POOL = "dbt"
TABLE_MATERIALIZATIONS = ("incremental", "table")
DEFAULT_OWNER = "team:data"
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


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """`variables` in the environment of this process and of dbt, until the block ends.

    DbtCliResource offers no other way to hand variables to one call; a run has a process of its own.
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def reported(
    context: dg.AssetExecutionContext,
    event: object,
    manifest: Mapping[str, Any],
    conn: psycopg.Connection[Any],
) -> Event | None:
    """What dagster is told of one of dbt's events: None for what this run did not select."""
    if isinstance(event, dg.AssetMaterialization) and event.asset_key in context.selected_asset_keys:
        return dg.MaterializeResult(
            asset_key=event.asset_key,
            metadata={
                **event.metadata,
                **model_facts(manifest["nodes"][event.metadata["unique_id"].value], conn),
            },
        )
    if (
        isinstance(event, dg.AssetCheckEvaluation)
        and event.asset_check_key in context.selected_asset_check_keys
    ):
        return dg.AssetCheckResult(
            passed=event.passed,
            asset_key=event.asset_key,
            check_name=event.check_name,
            metadata=event.metadata,
            severity=event.severity,
        )
    return None


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


def results_of(invocation: DbtCliInvocation, manifest: Mapping[str, Any]) -> list[NodeResult]:
    """What became of each node, for the build to record. Raises dbt's error when it could not run at all."""
    path = invocation.target_path / "run_results.json"
    if not path.exists():
        raise invocation.get_error() or MetricpressError(f"dbt left no results in {path}")
    results = json.loads(path.read_text())["results"]
    return [node_result_from_json(result, manifest["nodes"][result["unique_id"]]) for result in results]


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
        dbt: DbtCliResource,
        settings: dg.ResourceParam[Settings],
        open_build: dg.ResourceParam[BuildOpener],
    ) -> Iterator[Event]:
        """Build all marts; report events for what was selected.

        The whole project is built whatever is selected: marts of two builds must not stand side by side.
        """
        target = settings.home / "dbt" / f"run-{context.run.run_id[:8]}-{context.retry_number}"
        with (
            retrying_only_transient(),
            open_build(settings, forced=days_of_run(context.run.tags)) as build,
            connect(settings, "pipeline", autocommit=True) as conn,
        ):
            context.log.info(
                "build %s: %s", build.build_id, "nothing changed" if build.is_empty else "dbt build"
            )
            if build.is_empty:
                yield from unchanged(context, manifest, conn)
                return
            # Where dbt finds the partial parse that goes with the manifest.
            with environment({**build.environment, "DBT_TARGET_PATH": str(project.target_path)}):
                invocation = dbt.cli(
                    build.dbt_args,
                    manifest=manifest,
                    dagster_dbt_translator=translator,
                    target_path=target,
                    raise_on_error=False,
                )
                for event in invocation.stream():
                    result = reported(context, event, manifest, conn)
                    if result is not None:
                        yield result
            build.results = results_of(invocation, manifest)
            log_raw_rows(context, conn)
        shutil.rmtree(target, ignore_errors=True)  # a failed run keeps its logs

    return marts
