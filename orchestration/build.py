"""Puts the definitions together: the only assembly, which production and tests share.

Belongs here: which definitions there are. Does not belong here: what they are (orchestration/defs).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from orchestration.defs import checks, dbt, jobs, reports, resources, schedules, sensors, sources, watch
from orchestration.marts.build import open_build
from orchestration.reports.templates import available
from orchestration.settings import Settings


@dataclass(frozen=True)
class Overrides:
    """What a test may put in place of the real thing."""

    settings: Settings | None = None
    dbt_project_dir: Path = resources.PROJECT_DIR
    open_build: resources.BuildOpener = open_build


def build_defs(*, overrides: Overrides | None = None) -> dg.Definitions:
    """All definitions of metricpress.

    Reads the environment and the dbt manifest, and nothing else: no database is asked before a run or a tick.
    Raises MetricpressError when the manifest was not made.
    """
    given = overrides or Overrides()
    settings = given.settings or Settings.from_env()
    project = resources.dbt_project(given.dbt_project_dir, settings.home)
    manifest = dbt.read_manifest(project.manifest_path)
    translator = dbt.Translator(project)
    marts = dbt.mart_assets(project, manifest, translator)
    report_assets = reports.report_assets(available(settings.template_dir), manifest, translator)
    all_jobs = jobs.jobs_of(marts, report_assets, sources.raw_tables)
    return dg.Definitions(
        assets=[sources.raw_tables, *sources.other_specs(manifest), marts, report_assets],
        asset_checks=checks.checks_for(marts.keys),
        jobs=[*all_jobs.all(), watch.operator_summary],
        schedules=[*schedules.schedules_of(all_jobs, settings), *watch.schedules(settings)],
        sensors=[*sensors.sensors_of(all_jobs), watch.operator_alerts],
        resources={"settings": settings, "open_build": given.open_build},
        executor=dg.in_process_executor,
    )
