"""What runs are given: settings, the dbt command line and the way into a build.

Belongs here: resources and where the dbt project is. Does not belong here: connections held open (every step
and tick opens its own) and the environment's meaning (orchestration/settings.py).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from dagster_dbt import DbtProject

from orchestration.dev import target_of
from orchestration.errors import MetricpressError
from orchestration.marts.build import Build
from orchestration.marts.dbt import PROJECT_DIR
from orchestration.settings import Settings

__all__ = ["PROJECT_DIR", "BuildOpener", "dbt_project"]


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


def dbt_project(project_dir: Path, home: Path) -> DbtProject:
    """The dbt project with its manifest, which must have been made before (orchestration/dev.py).

    Raises MetricpressError naming the command when it was not: parsing here would happen in every process.
    """
    project = DbtProject(project_dir=project_dir, target_path=target_of(home))
    if not project.manifest_path.exists():
        raise MetricpressError(
            f"the dbt manifest {project.manifest_path} does not exist",
            remedy="Run: make dev (starts Dagster), or: python -m orchestration.dev --prepare",
        )
    return project
