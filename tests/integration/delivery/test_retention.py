"""Files past their time: real files in a real folder, and what tricks with links and paths do not reach."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.delivery.retention import clean
from orchestration.delivery.service import dispatch

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def kept(warehouse):
    """A tenant that keeps files for ten days, with a report that went to two folders."""
    warehouse.add_tenant("gym")
    warehouse.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, retention_days) values ('gym', 10)"
    )
    warehouse.subscribe("gym", "a", "b", delivery_method="file")
    assert len(dispatch(warehouse.settings, NOON).sent) == 2
    return warehouse


def now_plus(days: float) -> datetime:
    """The ledger's own times are the real ones."""
    return datetime.now(UTC) + days * DAY


def files(warehouse) -> list[Path]:
    """All below the output folder, links included."""
    return sorted(path for path in warehouse.settings.output_dir.rglob("*") if not path.is_dir())


def rows(warehouse) -> list[dict[str, Any]]:
    return warehouse.rows("select * from reporting.report_deliveries order by recipient")


def test_files_go_after_their_time_and_the_ledger_stays(kept) -> None:
    before, were = rows(kept), files(kept)
    assert clean(kept.settings, now_plus(9.9)).files == 0
    assert files(kept) == were
    rehearsed = clean(kept.settings, now_plus(10.1), dry_run=True)
    assert (rehearsed.deliveries, rehearsed.files) == (2, len(were))
    assert files(kept) == were
    cleaned = clean(kept.settings, now_plus(10.1))
    assert (cleaned.deliveries, cleaned.files, cleaned.orphans, cleaned.errors) == (2, len(were), 0, [])
    assert cleaned.bytes == rehearsed.bytes == sum(entry["bytes"] for entry in before[0]["files"])
    assert list(kept.settings.output_dir.rglob("*")) == [], "empty folders go too"
    for row, was in zip(rows(kept), before, strict=True):
        assert row["files_removed_at"] is not None
        unchanged = row.keys() - {"files_removed_at", "updated_at"}
        assert {name: row[name] for name in unchanged} == {name: was[name] for name in unchanged}
    assert (kept.settings.home / "outbox" / "a").is_dir(), "what was delivered is the recipient's"
    assert clean(kept.settings, now_plus(20)).files == 0


def test_without_retention_days_everything_is_kept(kept) -> None:
    kept.conn.execute("update reporting.tenant_settings set retention_days = null")
    were = files(kept)
    assert clean(kept.settings, now_plus(5000)).files == 0
    assert files(kept) == were


def test_a_younger_or_open_delivery_keeps_the_files_it_shares(kept) -> None:
    """The same rendering was asked for again and fails for a while: nothing of it goes."""
    kept.conn.execute(
        "insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient,"
        " attempt_group, delivery_status, next_attempt_at, error_class, files, render_key)"
        " select tenant_id, occurrence_id, channel, recipient, 2, 'failed', now(), 'transient', files,"
        " render_key from reporting.report_deliveries where recipient = 'a'"
    )
    were = files(kept)
    for status, next_attempt in (("failed", "now()"), ("held", "null"), ("ready", "null")):
        kept.conn.execute(
            f"update reporting.report_deliveries set delivery_status = '{status}',"
            f" next_attempt_at = {next_attempt} where attempt_group = 2"
        )
        assert clean(kept.settings, now_plus(30)).files == 0, status
        assert files(kept) == were
    kept.conn.execute("update reporting.report_deliveries set delivery_status = 'unknown'"
                      " where attempt_group = 2")  # fmt: skip
    assert clean(kept.settings, now_plus(30)).deliveries == 3


def test_rendered_again_after_its_time(kept) -> None:
    """The same report and data, asked for when its files are gone, are rendered anew and stay."""
    clean(kept.settings, now_plus(11))
    kept.subscribe("gym", "c", name="again", delivery_method="file")
    assert len(dispatch(kept.settings, NOON).sent) == 1
    (row,) = [row for row in rows(kept) if row["recipient"] == "c"]
    assert all(Path(entry["path"]).is_file() for entry in row["files"])
    assert clean(kept.settings, now_plus(2)).orphans == 0
    assert all(Path(entry["path"]).is_file() for entry in row["files"])


def test_orphans_and_what_killed_writers_left(kept) -> None:
    folder = files(kept)[0].parent
    stale = {folder / "old.pdf": b"orphan", folder / ".report.pdf.123.partial": b"half"}
    fresh = {folder / "new.pdf": b"being written", folder / ".new.pdf.9.partial": b"half"}
    gone = kept.settings.output_dir / "gone-tenant" / "executive" / "2026-11-19_0123456789ab"
    gone.mkdir(parents=True)
    stale[gone / "report.pdf"] = b"of a tenant that was removed"
    not_ours = {
        kept.settings.output_dir / "README.txt": b"the operator's own",
        kept.settings.output_dir / "gym" / "executive" / "notes" / "x.pdf": b"own",
        kept.settings.output_dir / "a" / "b" / "c_0123456789ab" / "d" / "e.pdf": b"deeper",
    }
    for path, content in (stale | fresh | not_ours).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if path not in fresh:
            os.utime(path, (1_000_000_000, 1_000_000_000))
    rehearsed = clean(kept.settings, datetime.now(UTC), dry_run=True)
    assert (rehearsed.orphans, rehearsed.partials) == (2, 1)
    were = set(files(kept))
    cleaned = clean(kept.settings, datetime.now(UTC))
    assert (cleaned.orphans, cleaned.partials, cleaned.files) == (2, 1, 0)
    assert were - set(files(kept)) == set(stale)
    assert not gone.exists()


def test_two_tenants_of_one_folder_name(warehouse) -> None:
    """`a b` and `a-b` share a folder: neither's files are orphans of the other."""
    for tenant in ("a b", "a-b"):
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, "x", delivery_method="file")
    dispatch(warehouse.settings, NOON)
    were = files(warehouse)
    for path in were:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert clean(warehouse.settings, datetime.now(UTC)).orphans == 0
    assert files(warehouse) == were


@pytest.mark.parametrize("trick", ["file", "folder", "tenant"])
def test_links_lead_nowhere(kept, tmp_path: Path, trick: str) -> None:
    """A link in the place of a file, of its folder or of the tenant's: nothing behind it goes."""
    folder = files(kept)[0].parent
    victim = tmp_path / "victim"
    shutil.copytree(kept.settings.output_dir / "gym", victim)
    copies = sorted(path for path in victim.rglob("*") if path.is_file())
    if trick == "file":
        target = folder / files(kept)[0].name
        target.unlink()
        target.symlink_to(copies[0])
    elif trick == "folder":
        shutil.rmtree(folder)
        folder.symlink_to(copies[0].parent, target_is_directory=True)
    else:
        shutil.rmtree(kept.settings.output_dir / "gym")
        (kept.settings.output_dir / "gym").symlink_to(victim, target_is_directory=True)
    cleaned = clean(kept.settings, now_plus(30))
    assert cleaned.errors
    assert sorted(path for path in victim.rglob("*") if path.is_file()) == copies
    again = clean(kept.settings, now_plus(60))
    assert (again.orphans, again.files) == (0, 0)
    assert sorted(path for path in victim.rglob("*") if path.is_file()) == copies


def test_paths_elsewhere_are_left_and_told(kept, tmp_path: Path) -> None:
    """The folder was changed, or a row names a path that climbs out of it."""
    were = files(kept)
    moved = replace(kept.settings, output_dir=tmp_path / "elsewhere")
    cleaned = clean(moved, now_plus(30))
    assert sorted(cleaned.outside) == sorted(map(str, were))
    assert files(kept) == were
    assert all(row["files_removed_at"] is None for row in rows(kept))

    passwd = tmp_path / "passwd"
    passwd.write_text("root")
    climbing = f"{kept.settings.output_dir}/../{passwd.name}"
    assert Path(climbing).resolve() == passwd.resolve()
    kept.conn.execute(
        "update reporting.report_deliveries set files = jsonb_set(files, '{0,path}', to_jsonb(%s::text))",
        (climbing,),
    )
    assert clean(kept.settings, now_plus(30)).outside == [climbing]
    assert passwd.exists()


def test_a_linked_output_folder_is_the_operators_choice(warehouse, tmp_path: Path) -> None:
    real = tmp_path / "big-disk"
    real.mkdir()
    warehouse.settings.output_dir.parent.mkdir(parents=True, exist_ok=True)
    warehouse.settings.output_dir.symlink_to(real, target_is_directory=True)
    warehouse.add_tenant("gym")
    warehouse.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, retention_days) values ('gym', 1)"
    )
    warehouse.subscribe("gym", "a", delivery_method="file")
    dispatch(warehouse.settings, NOON)
    assert clean(warehouse.settings, now_plus(2)).files > 0
    assert not list(real.rglob("*.pdf"))


def test_a_crash_between_the_row_and_the_files(kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row was marked and the process ended: the files are orphans, and go a day later."""

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "unlink", killed)
        clean(kept.settings, now_plus(11))
    assert all(row["files_removed_at"] for row in rows(kept))
    were = files(kept)
    assert were
    cleaned = clean(kept.settings, now_plus(11))
    assert (cleaned.files, cleaned.orphans) == (0, len(were))
    assert files(kept) == []


def test_on_the_command_line(kept, metricpress) -> None:
    told = metricpress("deliver", "cleanup", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[0] == "Files past their time would be removed: 0 of 0 deliveries."
    assert json.loads(metricpress("deliver", "cleanup", "--json").stdout)["files"] == 0
