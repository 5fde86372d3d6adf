"""No space left where reports are kept and where they are delivered: nothing half-written goes out."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from tests.integration.delivery.conftest import NOON
from tests.integration.delivery.faults.conftest import TODAY, Post, wait_until_gone
from tests.integration.delivery.faults.reconcile import Received, violations

pytestmark = pytest.mark.integration
LATER = NOON + timedelta(minutes=5)


@dataclass
class Disk:
    """A file system of 256 kB."""

    folder: Path

    def leave(self, kilobytes: int) -> None:
        """Fill it up to so much free space."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
            file.truncate(max(filler.stat().st_size - kilobytes * 1024, 0))

    def empty(self) -> None:
        (self.folder / "filler").unlink()

    def partial(self) -> list[Path]:
        return list(self.folder.rglob("*.partial"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


def outbox(post: Post) -> list[Received]:
    """The .eml files as a receiver."""
    found = []
    for path in sorted((post.settings.home / "outbox").rglob("*.eml")):
        message = message_from_bytes(path.read_bytes(), policy=default)
        digests = {hashlib.sha256(p.get_payload(decode=True)).hexdigest() for p in message.iter_attachments()}
        to = str(message["To"])
        found.append(Received(str(message["Message-ID"]), (to,), to, frozenset(digests)))
    return found


@pytest.mark.parametrize("kilobytes", [0, 8, 60, 100])
def test_full_while_rendering(post, disk, kilobytes) -> None:
    """Space for nothing, a part of the first file, the first file, or the files without the mail's words."""
    post.warehouse.settings = replace(post.settings, output_dir=disk.folder / "reports")
    post.promise("a", "b", formats=("pdf", "html"))
    disk.leave(kilobytes)
    told = post.dispatch(REPORT_BYTES="45000")
    assert {one["delivery_status"] for one in told["failed"]} == {"failed"}
    assert "No space left" in told["failed"][0]["reason"]
    assert post.server.received() == []
    assert disk.partial() == []
    post.reconcile(settled=False)
    disk.empty()
    post.dispatch(LATER, REPORT_BYTES="45000")
    assert post.statuses() == {"a": "sent", "b": "sent"}
    post.reconcile()


@pytest.mark.parametrize("kilobytes", [0, 40, 100])
def test_full_outbox(post, disk, kilobytes) -> None:
    """Mail as files: space for no message, a part of one, or one of two."""
    post.warehouse.settings = replace(post.settings, smtp_url=None, home=disk.folder)
    post.promise("a", "b")
    disk.leave(kilobytes)
    post.variables = {"RENDERINGS": str(post.folder / "renderings")}
    post.dispatch(REPORT_BYTES="45000")
    assert violations(outbox(post), post.ledger(), post.promised(TODAY), settled=False) == []
    assert disk.partial() == []
    assert "failed" in post.statuses().values()
    disk.empty()
    post.dispatch(LATER)
    assert post.statuses() == {"a": "sent", "b": "sent"}
    assert violations(outbox(post), post.ledger(), post.promised(TODAY)) == []


def test_full_folder_of_the_recipient(post, disk) -> None:
    """The first of two files fits. Whoever looks sees whole files only; in the end both are there."""
    post.warehouse.settings = replace(post.settings, home=disk.folder)
    post.variables = {"RENDERINGS": str(post.folder / "renderings")}
    folder = disk.folder / "outbox" / "reports"
    post.warehouse.add_tenant("gym")
    post.warehouse.subscribe("gym", "reports", delivery_method="file", formats=("pdf", "html"))
    disk.leave(60)
    post.dispatch(REPORT_BYTES="45000")
    (row,) = post.ledger()
    assert (row.delivery_status, row.is_open) == ("failed", True)
    assert files(folder) <= row.digests
    assert disk.partial() == []
    disk.empty()
    post.dispatch(LATER)
    (row,) = post.ledger()
    assert (row.delivery_status, row.state) == ("sent", "sent")
    assert files(folder) == row.digests


def test_killed_while_the_disk_is_full(post, disk) -> None:
    """Both at once: the space is gone, and so is the dispatcher before it can say so."""
    post.warehouse.settings = replace(post.settings, output_dir=disk.folder / "reports")
    post.promise("a", "b")
    disk.leave(8)
    with post.hold("report_deliveries", "update", "new.delivery_status = 'failed'") as hold:
        dispatcher = post.start(REPORT_BYTES="45000")
        hold.wait_until_reached()
        dispatcher.kill()
        hold.roll_back()
        wait_until_gone(post.warehouse)
    disk.empty()
    post.recover()
    assert post.statuses() == {"a": "sent", "b": "sent"}
    post.reconcile()


def files(folder: Path) -> frozenset[str]:
    return frozenset(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    )
