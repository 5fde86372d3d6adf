"""Channels that write to folders: the outbox in place of mail, Slack and webhooks, and the file channel.

Belongs here: file names and atomic writing. Does not: what is inside a file.
Names follow from the delivery alone: writing it again replaces the same file, and no other delivery's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path, PurePath

from orchestration.delivery.channels.parcel import Parcel, Unopened
from orchestration.delivery.failures import DeliveryFailure, PermanentFailure, TransientFailure
from orchestration.errors import MetricpressError

# A full or failing disk mends without a change of the subscription; a forbidden or impossible path does not.
TRANSIENT_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE}
)
#: File names may have 255 bytes; the URL of a webhook is longer.
LONGEST_RECIPIENT = 80


class _Folder(Unopened):
    def __init__(self, folder: Path) -> None:
        self.folder = folder


class OutboxChannel(_Folder):
    """What a transport would send, as files of one folder: `compose` gives the content, `suffix` the kind."""

    def __init__(self, folder: Path, compose: Callable[[Parcel], bytes], suffix: str) -> None:
        super().__init__(folder)
        self.compose = compose
        self.suffix = suffix

    def send(self, parcel: Parcel) -> str:
        """Write the message; returns its path."""
        stem = Path(parcel.attachments[0].filename).stem if parcel.attachments else "report"
        recipient = _plain(parcel.recipient)[:LONGEST_RECIPIENT]
        name = f"{stem}_{recipient}_{parcel.delivery_id[:8]}{self.suffix}"
        return str(_write(self.folder / name, self.compose(parcel)))


class FolderChannel(_Folder):
    """The recipient is a folder below the outbox."""

    def send(self, parcel: Parcel) -> str:
        """Write every attachment; returns the folder."""
        try:
            check_recipient(parcel.recipient)
        except MetricpressError as error:
            raise PermanentFailure(f"{error}. {error.remedy}") from error
        if not parcel.attachments:
            raise PermanentFailure("there is no file to write into a folder")
        folder = self.folder / parcel.recipient
        own = parcel.delivery_id[:8]
        for attachment in parcel.attachments:
            name = PurePath(attachment.filename)
            _write(folder / f"{name.stem}_{own}{name.suffix}", attachment.content)
        return str(folder)


def check_recipient(text: str) -> None:
    """Raise MetricpressError for a folder that is not plainly below the outbox.

    An operator who wants reports elsewhere puts a link or a mount into the outbox; a subscription cannot.
    """
    path = PurePath(text)
    if (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or text[:1] == "~"
        or not text.isprintable()
    ):
        raise MetricpressError(
            f"{text!r} is not a folder below the outbox",
            remedy="Give a relative folder without '..', such as acme/board; see docs/runbook.md.",
        )


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
