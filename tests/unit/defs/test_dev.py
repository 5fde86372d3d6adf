"""What `make dev` prepares: storage address and freshness of the manifest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from orchestration.dev import INSTANCE_SETTINGS, manifest_is_current, storage_url


def test_the_storage_names_its_driver_and_schema() -> None:
    url = make_url(storage_url("postgresql://me:p%40ss@db.example:5433/shop?sslmode=require"))
    assert url.get_driver_name() == "psycopg2"
    assert (url.password, url.host, url.port, url.database) == ("p@ss", "db.example", 5433, "shop")
    assert url.query == {"sslmode": "require", "options": "-c search_path=dagster"}


def test_no_credential_is_written_into_the_instance_settings() -> None:
    storage = yaml.safe_load(INSTANCE_SETTINGS.read_text())["storage"]
    assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_STORAGE_URL"}}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    models = tmp_path / "models" / "marts"
    models.mkdir(parents=True)
    for path in (tmp_path / "dbt_project.yml", models / "a.sql", models / "b.sql"):
        path.write_text("")
    for path in (tmp_path / "dbt_project.yml", *(tmp_path / "models").rglob("*"), tmp_path / "models"):
        os.utime(path, (1000, 1000))
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}")
    os.utime(manifest, (2000, 2000))
    return tmp_path


def test_an_untouched_project_keeps_its_manifest(project: Path) -> None:
    assert manifest_is_current(project / "manifest.json", project)


def test_a_missing_manifest_is_made(project: Path) -> None:
    assert not manifest_is_current(project / "no.json", project)


def test_a_changed_model_is_parsed_again(project: Path) -> None:
    (project / "models" / "marts" / "a.sql").write_text("select 1")
    assert not manifest_is_current(project / "manifest.json", project)


def test_a_removed_model_is_noticed(project: Path) -> None:
    (project / "models" / "marts" / "b.sql").unlink()
    assert not manifest_is_current(project / "manifest.json", project)
