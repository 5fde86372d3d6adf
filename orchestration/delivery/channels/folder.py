"""Channels that write to folders: the outbox of .eml files (twin of SMTP) and the file channel.

Belongs here: file names and atomic writing. Does not: what is inside a file.
Names follow from the delivery alone, so writing the same delivery again replaces the same file.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestration.delivery.channels.message import Composer
from orchestration.delivery.channels.parcel import Parcel
from orchestration.delivery.failures import DeliveryFailure, PermanentFailure, TransientFailure

# A full or failing disk mends without a change of the subscription; a forbidden or impossible path does not.
TRANSIENT_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE}
)


class _Folder:
    """What both folder channels share: nothing to open, nothing to close."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class OutboxChannel(_Folder):
    """Mail as .eml files in one folder, for installations without an SMTP server."""

    def __init__(self, folder: Path, composer: Composer) -> None:
        super().__init__(folder)
        self.composer = composer

    def send(self, parcel: Parcel) -> str:
        """Write the message; returns its path."""
        stem = Path(parcel.attachments[0].filename).stem if parcel.attachments else "report"
        name = f"{stem}_{_plain(parcel.recipient)}_{parcel.delivery_id[:8]}.eml"
        return str(_write(self.folder / name, self.composer.compose(parcel)))


class FolderChannel(_Folder):
    """The recipient is a folder; relative ones lie below the outbox."""

    def send(self, parcel: Parcel) -> str:
        """Write every attachment; returns the folder."""
        folder = self.folder / Path(parcel.recipient).expanduser()
        for attachment in parcel.attachments:
            _write(folder / attachment.filename, attachment.content)
        return str(folder)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that readers see the old file or the whole new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> Path:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _failure(path, error) from error
    return path


def _failure(path: Path, error: OSError) -> DeliveryFailure:
    kind = TransientFailure if error.errno in TRANSIENT_ERRNOS else PermanentFailure
    return kind(f"cannot write {path}: {error.strerror}")


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-.@" else "_" for letter in text)
