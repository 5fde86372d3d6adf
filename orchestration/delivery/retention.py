"""Files past their time: removed below METRICPRESS_OUTPUT_DIR, while the ledger keeps what was sent.

Belongs here: which files are past their time, and removing them safely. Does not: the rows themselves, where
figures, SHA-256 and the names of files stay.

A delivery's files go when it has ended and the tenant's retention_days have passed since; files that several
deliveries share go with the last of them. The row is marked first and the files removed then, under the locks
of those who render and send again; what a crash between leaves is found as an orphan. Nothing is followed
through a symbolic link, and nothing touched outside the folder or not named by metricpress.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from orchestration.delivery.ledger import RENDERING_LOCKS
from orchestration.delivery.records import OPEN
from orchestration.delivery.rendering import file_name_part
from orchestration.delivery.resending import RESEND_LOCK
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]
logger = logging.getLogger(__name__)

#: What no delivery names may still be written by a dispatcher at work; after a day nobody is.
ORPHANED_AFTER = timedelta(days=1)
#: Folders as rendering and notices name them: below tenant and report, period and key.
_FOLDER = re.compile(r"_[0-9a-f]{12}$|_notice_[0-9a-f]{8}-[0-9a-f]{3}$")
_DEPTH = 3

_IS_PAST = f"""
    not ({OPEN}) and d.delivery_status <> 'held'
    and greatest(d.created_at, d.claimed_at, d.delivered_at) < %(now)s - c.retention_days * interval '1 day'
"""
_FIND = f"""
    with kept as (
        select d.tenant_id, d.delivery_id, coalesce(d.render_key, d.files -> 0 ->> 'path') as key, d.files,
            {_IS_PAST} as is_past
        from reporting.tenant_settings as c
        join reporting.report_deliveries as d using (tenant_id)
        where c.retention_days is not null and d.files <> '[]' and d.files_removed_at is null
    ),
    past as (
        select tenant_id, key, array_agg(delivery_id) as deliveries
        from kept group by tenant_id, key having bool_and(is_past)
    )
    select p.tenant_id, p.key, p.deliveries, array(
        select distinct file ->> 'path' from kept as k
        cross join jsonb_array_elements(k.files) as file
        where k.tenant_id = p.tenant_id and k.key = p.key
    ) as paths
    from past as p order by p.tenant_id, p.key
"""
#: Again, under the locks: nothing younger may need the files.
_MARK = f"""
    with kept as (
        select d.tenant_id, d.delivery_id, {_IS_PAST} as is_past
        from reporting.tenant_settings as c
        join reporting.report_deliveries as d using (tenant_id)
        where d.tenant_id = %(tenant)s and d.files_removed_at is null
            and coalesce(d.render_key, d.files -> 0 ->> 'path') = %(key)s
    )
    update reporting.report_deliveries as d set files_removed_at = %(now)s
    from kept as k
    where d.tenant_id = k.tenant_id and d.delivery_id = k.delivery_id
        and (select bool_and(coalesce(is_past, false)) from kept)
    returning d.delivery_id
"""


@dataclass
class Cleaned:
    """What was, or in a rehearsal would be, removed; `bytes` of all of it.

    `orphans`: files no delivery names. `partials`: what killed writers left. `outside`: files that were left,
    since they lie elsewhere.
    """

    deliveries: int = 0
    files: int = 0
    orphans: int = 0
    partials: int = 0
    bytes: int = 0
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Past:
    """Files of one rendering that are past their time, and the deliveries that share them."""

    tenant_id: str
    key: str
    deliveries: Sequence[UUID]
    paths: Sequence[str]


def clean(settings: Settings, now: datetime, *, dry_run: bool = False) -> Cleaned:
    """Remove what is past its time at `now`, and orphans; with `dry_run` only tell.

    Any number may run at once. A file that cannot be removed is told in `errors` and tried again another day.
    """
    cleaned = Cleaned()
    root = settings.output_dir
    with connect(settings, "pipeline", autocommit=True, application_name="metricpress cleanup") as conn:
        for past in _past(conn, now):
            _remove_past(conn, root, past, now, cleaned, dry_run=dry_run)
        if root.is_dir():
            _remove_orphans(conn, root, now, cleaned, dry_run=dry_run)
    return cleaned


def _past(conn: Connection, now: datetime) -> list[Past]:
    with conn.cursor(row_factory=class_row(Past)) as cursor:
        return cursor.execute(_FIND.encode(), {"now": now}).fetchall()


def _remove_past(
    conn: Connection, root: Path, past: Past, now: datetime, cleaned: Cleaned, *, dry_run: bool
) -> None:
    places = [_place(root, path) for path in past.paths]
    inside = [place for place in places if place is not None]
    if len(inside) < len(places):
        # The folder was changed since: whoever did it knows where the old one is.
        cleaned.outside += [path for path, place in zip(past.paths, places, strict=True) if place is None]
        return
    with _alone(conn, past.key):
        if dry_run:
            cleaned.deliveries += len(past.deliveries)
        else:
            values = {"tenant": past.tenant_id, "key": past.key, "now": now}
            marked = conn.execute(_MARK.encode(), values).fetchall()
            if not marked:
                return
            cleaned.deliveries += len(marked)
        for place in inside:
            size = _remove(root, place, cleaned, dry_run=dry_run)
            if size is not None:
                cleaned.files += 1
                cleaned.bytes += size


@contextmanager
def _alone(conn: Connection, key: str) -> Iterator[None]:
    """While nobody renders the same anew or has it sent again."""
    conn.execute("select pg_advisory_lock(%s)", (RESEND_LOCK,))
    try:
        conn.execute("select pg_advisory_lock(%s, hashtext(%s))", (RENDERING_LOCKS, key))
        try:
            yield
        finally:
            conn.execute("select pg_advisory_unlock(%s, hashtext(%s))", (RENDERING_LOCKS, key))
    finally:
        conn.execute("select pg_advisory_unlock(%s)", (RESEND_LOCK,))


def _place(root: Path, path: str) -> tuple[str, ...] | None:
    """The parts of a path below the folder; None when it lies elsewhere or climbs out."""
    for folder in (root, root.resolve()):
        if Path(path).is_relative_to(folder):
            parts = Path(path).relative_to(folder).parts
            return parts if parts and ".." not in parts else None
    return None


def _remove(
    root: Path,
    place: tuple[str, ...],
    cleaned: Cleaned,
    *,
    dry_run: bool,
    older_than: float | None = None,
) -> int | None:
    """Remove one regular file; returns its size, None when there is none or it is younger.

    Each folder on the way is opened by its name in the one before and never through a link, so that no link,
    also one set at this moment, leads out of the folder.
    """
    try:
        with _folder(root, place[:-1]) as folder:
            found = os.stat(place[-1], dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{place[-1]} is no file")
            if older_than is not None and found.st_mtime >= older_than:
                return None
            if not dry_run:
                os.unlink(place[-1], dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        cleaned.errors.append(f"{root.joinpath(*place)} was not removed: {error.strerror or error}")
        return None
    if not dry_run:
        _remove_empty(root, place[:-1])
    return found.st_size


@contextmanager
def _folder(root: Path, parts: Sequence[str]) -> Iterator[int]:
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def _remove_empty(root: Path, parts: Sequence[str]) -> None:
    """Remove the folders on the way that are empty now, the innermost first."""
    for depth in range(len(parts), 0, -1):
        try:
            with _folder(root, parts[: depth - 1]) as folder:
                os.rmdir(parts[depth - 1], dir_fd=folder)
        except OSError:  # not empty, or another has removed it
            return


def _remove_orphans(conn: Connection, root: Path, now: datetime, cleaned: Cleaned, *, dry_run: bool) -> None:
    """Remove files in folders of renderings that no delivery names any more, and what killed writers left."""
    tenants: dict[str, list[str]] = {}
    for (tenant,) in conn.execute("select distinct tenant_id from reporting.report_subscriptions"):
        tenants.setdefault(file_name_part(tenant), []).append(tenant)
    older_than = (now - ORPHANED_AFTER).timestamp()
    named_of, named = None, frozenset[tuple[str, ...]]()
    for place in sorted(_files(root)):
        if place[0] != named_of:
            named_of = place[0]
            named = _named(conn, root, tenants.get(place[0], []))
        if place in named:
            continue
        size = _remove(root, place, cleaned, dry_run=dry_run, older_than=older_than)
        if size is None:
            continue
        is_partial = place[-1].startswith(".") and place[-1].endswith(".partial")
        cleaned.partials += is_partial
        cleaned.orphans += not is_partial
        cleaned.bytes += size
        if not dry_run:
            logger.warning("%s was removed: no delivery names it", root.joinpath(*place))


def _named(conn: Connection, root: Path, tenants: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The files that deliveries of these tenants name and that were not removed."""
    rows = conn.execute(
        """
        select distinct file ->> 'path'
        from reporting.report_deliveries as d cross join jsonb_array_elements(d.files) as file
        where d.tenant_id = any(%s) and d.files_removed_at is null
        """,
        (list(tenants),),
    ).fetchall()
    return frozenset(place for (path,) in rows if (place := _place(root, path)) is not None)


def _files(root: Path) -> Iterator[tuple[str, ...]]:
    """Regular files in folders that metricpress made; links are not followed."""
    for path, folders, files in os.walk(root, followlinks=False):
        parts = Path(path).relative_to(root).parts
        if len(parts) == _DEPTH:
            folders.clear()
            if _FOLDER.search(parts[-1]):
                yield from ((*parts, name) for name in files if not (Path(path) / name).is_symlink())
