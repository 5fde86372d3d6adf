"""What runs are given: settings, the dbt command line and the way into a build.

Belongs here: resources and where the dbt project is. Does not belong here: connections held open (every step
and tick opens its own) and the environment's meaning (orchestration/settings.py).
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from dagster_dbt import DbtCliResource, DbtProject

from orchestration.errors import MetricpressError
from orchestration.marts.build import Build
from orchestration.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DBT_PROJECT_DIR = ROOT / "dbt_project"


class BuildOpener(Protocol):
    """The way into a build (orchestration.marts.build.open_build)."""

    def __call__(
        self,
        settings: Settings,
        *,
        as_of: datetime | date | None = None,
        forced: tuple[date, date] | None = None,
    ) -> AbstractContextManager[Build]:
        """Plan a build and hold the lock; complete on a clean exit, failed on an error."""
        ...


def dbt_project(project_dir: Path = DBT_PROJECT_DIR) -> DbtProject:
    """The dbt project; its manifest must have been made before.

    Raises MetricpressError naming the command when it was not: parsing here would happen in every process.
    """
    project = DbtProject(project_dir=project_dir)
    if not project.manifest_path.exists():
        raise MetricpressError(
            f"the dbt manifest {project.manifest_path} does not exist",
            remedy="Run: make dev (starts Dagster), or: python -m orchestration.dev --prepare",
        )
    return project


def dbt_cli(project: DbtProject) -> DbtCliResource:
    """dbt of this virtual environment, also when it is not activated."""
    return DbtCliResource(project_dir=project, dbt_executable=Path(sys.executable).with_name("dbt"))
