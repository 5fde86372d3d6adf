"""Dagster on this installation's data: `python -m orchestration.dev` prepares what it needs and starts the
UI.

Belongs here: schema, storage, instance settings and dbt manifest, made before any Dagster process starts.
Does not belong here: definitions (orchestration/defs); nothing here imports dagster.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration.errors import EXIT_USAGE, MetricpressError
from orchestration.marts.dbt import PROJECT_DIR, dbt_environment
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, database_url, with_option
from orchestration.warehouse.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]
INSTANCE_SETTINGS = Path(__file__).parent / "defs" / "dagster.yaml"
STORAGE_SCHEMA = "dagster"
#: What a manifest is made of.
DBT_SOURCES = ("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "snapshots", "tests")


def prepare(settings: Settings, project_dir: Path = PROJECT_DIR) -> dict[str, str]:
    """Migrate, make storage, instance settings and manifest; returns the environment Dagster needs."""
    migrate(settings)
    with connect(settings, autocommit=True) as conn:
        conn.execute(f"create schema if not exists {STORAGE_SCHEMA}")
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(INSTANCE_SETTINGS.read_text())
    make_manifest(settings, project_dir)
    return {
        "METRICPRESS_HOME": str(settings.home),
        "DAGSTER_HOME": str(home),
        "DAGSTER_STORAGE_URL": storage_url(database_url(settings)),
        # A range of days is thousands of events; written one by one they take longer than the build.
        "DAGSTER_EVENT_BATCH_SIZE": "100",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


def storage_url(url: str) -> str:
    """The warehouse's URL as Dagster's storage: in a schema of its own, by a driver that is named.

    SQLAlchemy's choice of a driver for plain `postgresql://` changes between its versions.
    """
    _, _, rest = with_option(url, f"-c search_path={STORAGE_SCHEMA}").partition("://")
    return f"postgresql+psycopg2://{rest}"


def target_of(home: Path) -> Path:
    """Where Dagster's manifest and partial parse lie: apart from those of other dbt commands.

    dbt parses everything anew when it finds the state of a run against another database.
    """
    return home / "dbt" / "target"


def manifest_is_current(manifest: Path, project_dir: Path) -> bool:
    """Whether the manifest is newer than everything it is made of; a removed file shows in its folder."""
    if not manifest.exists():
        return False
    made = manifest.stat().st_mtime
    paths = [project_dir / name for name in DBT_SOURCES]
    return all(
        path.stat().st_mtime <= made
        for parent in paths
        if parent.exists()
        for path in (parent, *parent.rglob("*"))
    )


def make_manifest(settings: Settings, project_dir: Path = PROJECT_DIR) -> bool:
    """Parse the dbt project when its sources changed; returns whether it did.

    Once for all processes, with the environment of the runs: another one would make each of them parse again.
    """
    target = target_of(settings.home)
    if manifest_is_current(target / "manifest.json", project_dir):
        return False
    target.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "parse"]
    folders = ["--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]
    done = subprocess.run(
        [*command, *folders],
        env={
            **os.environ,
            **dbt_environment(settings),
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
        },
        cwd=project_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MetricpressError(
            f"the dbt project {project_dir} does not parse:\n{done.stdout}{done.stderr}".rstrip(),
            remedy="Mend the model that is named.",
        )
    return True


def start(environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Become `dg dev`; does not return."""
    os.chdir(ROOT)
    dg = str(Path(sys.executable).with_name("dg"))
    os.execve(dg, [dg, "dev", "-w", str(ROOT / "workspace.yaml"), *arguments], {**os.environ, **environment})


def main() -> int:
    """`--prepare` only prepares; everything else is handed to `dg dev` (see its --help: --port, --host)."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.dev", description=main.__doc__)
    parser.add_argument(
        "--prepare", action="store_true", help="make schema, storage and manifest; start nothing"
    )
    options, arguments = parser.parse_known_args()
    try:
        environment = prepare(Settings.from_env())
    except MetricpressError as error:
        print(f"{error}\n{error.remedy}".strip(), file=sys.stderr)
        return EXIT_USAGE
    if not options.prepare:
        start(environment, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
