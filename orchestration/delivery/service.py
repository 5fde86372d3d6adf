"""Dispatch: plan what is due, wait for data, render once, send to each recipient once.

Belongs here: the order of the steps, and what happens when data or rendering fail. Does not: sending, SQL of
the ledger, documents. Any number of dispatchers may run at once, in any number of processes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from orchestration.delivery import records, rendering, upkeep
from orchestration.delivery.backoff import retry_at
from orchestration.delivery.ledger import LOST, Ledger
from orchestration.delivery.notice import keep_notice
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.planning import Problem, plan
from orchestration.delivery.readiness import Readiness, judge, readiness
from orchestration.delivery.records import Promise
from orchestration.delivery.sending import GIVEN_UP, Sender
from orchestration.delivery.workers import EACH, FEWEST, Answer, Job, RenderingBroken, Workers
from orchestration.errors import MetricpressError
from orchestration.reports import ReportRequest
from orchestration.reports.own.template import OwnTemplate
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]
#: Called after each report with (done, total, name).
Progress = Callable[[int, int, str], None]

logger = logging.getLogger(__name__)

#: Occurrences that are sent together; what is rendered is sent after so many seconds, however few they are.
BATCH = 100
BATCH_SECONDS = 2.0


def plan_occurrences(conn: Connection, now: datetime, tenant: str | None = None) -> int:
    """Write the occurrences due up to `now`; returns how many are new. Problems are logged."""
    return plan(conn, now, tenant)[0]


def has_work(conn: Connection, now: datetime, tenant: str | None = None) -> bool:
    """Whether a dispatch would do something: plans, then looks for what can be rendered, sent or settled.

    Cheap enough for every tick of a scheduler; reports that wait for their data are no work.
    """
    plan_occurrences(conn, now, tenant)
    if records.has_loose_ends(conn, now, tenant):
        return True
    judged = judge(conn, records.waiting_periods(conn, now, tenant))
    return any(ready.is_ready for ready in judged.values())


def next_work(conn: Connection, now: datetime, ahead: timedelta) -> datetime | None:
    """When a dispatch has something to do: `now`, or a moment within `ahead` of it; else None.

    Looking ahead writes nothing, so a change in the meantime still counts. `conn` must be in autocommit.
    """
    if has_work(conn, now):
        return now
    with conn.transaction(force_rollback=True):
        if not has_work(conn, now + ahead):
            return None
        return records.next_moment(conn, now, now + ahead) or now


def dispatch(
    settings: Settings,
    now: datetime | None = None,
    tenant: str | None = None,
    progress: Progress | None = None,
    *,
    occurrences: Collection[UUID] | None = None,
) -> DispatchResult:
    """Plan, render and send what is due at `now` (default: the present), for one tenant or all.

    With `occurrences` only those are worked on and nothing is planned. What fails or waits is in the result;
    raises MetricpressError only when nothing more can be done at all (database, settings).
    """
    clock = _clock(now or datetime.now(UTC))
    try:
        with connect(settings, "pipeline", autocommit=True, application_name="metricpress deliver") as conn:
            return _dispatched(conn, settings, clock, tenant, progress, occurrences)
    except LOST as error:
        raise MetricpressError(
            f"the dispatch lost its database: {' '.join(str(error).split())}",
            remedy="Nothing is lost: dispatch again when the database is back. A message whose outcome could "
            "not be recorded is then shown as unknown.",
        ) from error


def _dispatched(
    conn: Connection,
    settings: Settings,
    clock: Callable[[], datetime],
    tenant: str | None,
    progress: Progress | None,
    occurrences: Collection[UUID] | None,
) -> DispatchResult:
    now = clock()
    book = Ledger(conn, lambda: connect(settings, "pipeline", application_name="metricpress deliver"))
    book.touched |= upkeep.recover(conn)
    planned = 0
    problems: list[Problem] = []
    if occurrences is None:
        planned, problems = plan(conn, now, tenant)
        book.touched |= upkeep.drop_missed(conn, now, tenant)
    upkeep.close_occurrences(conn)
    promises = records.promises(conn, now, tenant, occurrences)
    places: dict[UUID, str] = {}
    if promises:
        with ExitStack() as stack:
            sender = Sender(settings, book, clock, stack)
            _Dispatch(settings, clock, book, sender, stack).all(promises, progress)
            places = sender.places
    outcomes = records.outcomes(conn, book.touched, now, tenant, occurrences)
    book.close()
    return DispatchResult(planned, tuple(outcomes), tuple(problems), places)


def rehearse(settings: Settings, now: datetime, tenant: str | None = None) -> DispatchResult:
    """What `dispatch` would do, without writing: `ready` would be sent, `pending` would wait and why."""
    with connect(settings, "pipeline", application_name="metricpress deliver --dry-run") as conn:
        planned, problems = plan(conn, now, tenant)
        touched = upkeep.drop_missed(conn, now, tenant)
        touched |= upkeep.screen(conn, records.promises(conn, now, tenant))
        found = records.outcomes(conn, touched, now, tenant, None)
        judged = judge(conn, {(outcome.tenant_id, outcome.period_end) for outcome in found})
        outcomes = []
        for outcome in found:
            ready = judged[outcome.tenant_id, outcome.period_end]
            status = "ready" if ready.is_ready else "pending"
            told = replace(outcome, delivery_status=status, reason=ready.reason or None)
            outcomes.append(told if outcome.delivery_status == "pending" else outcome)
        conn.rollback()
    return DispatchResult(planned, tuple(outcomes), tuple(problems))


def preview(settings: Settings, request: ReportRequest, formats: Sequence[str], folder: Path) -> list[Path]:
    """Render a report into a folder; nothing is recorded, no data is waited for."""
    with connect(settings, "pipeline", application_name="metricpress deliver preview") as conn:
        return rendering.preview(conn, request, formats, folder)


def _clock(start: datetime) -> Callable[[], datetime]:
    """The moment of a dispatch that began at `start`, which need not be the present, and takes its time."""
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


@dataclass(frozen=True)
class _Started:
    """A report that a worker renders: claimed, and its key locked, by this dispatcher."""

    promise: Promise
    attempts: int
    key: str


class _Dispatch:
    """One run of a dispatcher: its ledger, its look at the marts, its way out."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        book: Ledger,
        sender: Sender,
        stack: ExitStack,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.book = book
        self.sender = sender
        self.stack = stack
        self.marts: Connection | None = None
        self.judged: dict[tuple[str, date], Readiness] = {}
        self.waiting: list[tuple[Promise, str]] = []
        self.looks: dict[tuple[str, str], str] = {}
        self.workers: Workers | None = None

    def all(self, promises: Sequence[Promise], progress: Progress | None) -> None:
        """Bring every occurrence as far as it goes now."""
        self.book.touched |= upkeep.screen(self.book.conn, promises)
        bare = {(p.tenant_id, p.period_end) for p in promises if p.needs_rendering}
        self.judged = judge(self.book.conn, bare)
        done = 0
        for batch in self._batches(promises):
            self.book.wait(self.waiting)
            self.waiting = []
            self.sender.send(batch)
            upkeep.close_occurrences(self.book.conn, batch)
            for promise in batch:
                done += 1
                if progress is not None:
                    progress(done, len(promises), f"{promise.tenant_id}: {promise.subscription}")

    def _batches(self, promises: Sequence[Promise]) -> Iterator[list[Promise]]:
        """Prepared occurrences: many at once, and none waits long for others to be rendered."""
        batch: list[Promise] = []
        began = time.monotonic()
        for group in self._groups(promises):
            bare = [promise for promise in group if promise.needs_rendering]
            if len(group) == 1:
                self._prepare_each(bare)
            else:
                self._prepare_all(bare)
            batch += group
            if len(batch) >= BATCH or time.monotonic() - began > BATCH_SECONDS:
                yield batch
                batch, began = [], time.monotonic()
        if batch:
            yield batch

    def _groups(self, promises: Sequence[Promise]) -> Iterator[Sequence[Promise]]:
        """One by one; where enough wait to be rendered, as many as keep the workers busy for a while."""
        ready = sum(p.needs_rendering and self.judged[p.tenant_id, p.period_end].is_ready for p in promises)
        count = self.settings.render_workers
        size = count * EACH if count > 1 and ready >= FEWEST else 1
        return (promises[start : start + size] for start in range(0, len(promises), size))

    def _prepare_all(self, promises: Sequence[Promise]) -> None:
        """Render side by side what is ready, all in one snapshot; what cannot start now follows."""
        under_way: dict[Future[Answer], _Started] = {}
        rest: list[Promise] = []
        with self._snapshot() as marts:
            row = marts.execute("select pg_export_snapshot()").fetchone()
            assert row is not None
            judged = judge(marts, {(promise.tenant_id, promise.period_end) for promise in promises})
            for promise in promises:
                ready = judged[promise.tenant_id, promise.period_end]
                if not (ready.is_ready and self._start(promise, ready, row[0], under_way)):
                    rest.append(promise)
            for answer in as_completed(under_way):
                started = under_way[answer]
                try:
                    self._made(started.promise, started.attempts, partial(self._keep, started, answer))
                finally:
                    self.book.let_render(started.key)
        self._prepare_each(rest)

    def _start(
        self, promise: Promise, ready: Readiness, snapshot: str, under_way: dict[Future[Answer], _Started]
    ) -> bool:
        """Claim and hand to a worker; False for one that has to wait for an equal one, here or elsewhere.

        Tenants' own templates have a process of their own for each document.
        """
        if promise.template_id:
            return False
        assert ready.data_version is not None
        look = self._look(promise)
        key = rendering.render_key(promise, ready.data_version, look)
        if any(started.key == key for started in under_way.values()):
            return False
        if not self.book.try_rendering_alone(key):
            return False
        kept = self.book.kept_rendition(promise.tenant_id, key)
        attempts = None
        if kept is None or not rendering.intact(kept.files):
            attempts = self.book.claim_rendering(promise, self.clock())
        if attempts is None:  # found, or another dispatcher was first
            self.book.let_render(key)
            return False
        job = Job(promise, self.settings, ready.data_version, look, snapshot)
        under_way[self._workers().submit(job)] = _Started(promise, attempts, key)
        return True

    def _keep(self, started: _Started, answer: Future[Answer]) -> None:
        made = answer.result()
        assert made.rendition is not None
        self.book.rendered(started.promise, made.rendition, made.seconds)

    def _workers(self) -> Workers:
        if self.workers is None:
            self.workers = self.stack.enter_context(Workers(self.settings.render_workers))
        return self.workers

    def _prepare_each(self, promises: Sequence[Promise]) -> None:
        for promise in promises:
            self._prepare(promise)

    def _prepare(self, promise: Promise) -> None:
        """Render when the data is there; judged and rendered in one snapshot of the marts."""
        early = self.judged[promise.tenant_id, promise.period_end]
        if not early.is_ready and self.clock() < promise.give_up_at:
            self.waiting.append((promise, early.reason))
            return
        with self._snapshot() as marts:
            ready = readiness(marts, promise.tenant_id, promise.period_end)
            if ready.is_ready:
                self._render(promise, lambda: self._report(marts, promise, ready), promise.give_up_at)
            elif self.clock() < promise.give_up_at:
                self.waiting.append((promise, ready.reason))
            else:
                self._give_up(promise, ready)

    def _give_up(self, promise: Promise, ready: Readiness) -> None:
        """The time for waiting is over: a plain notice, or a person decides."""
        self.waiting.append((promise, ready.reason))
        if promise.when_incomplete == "hold":
            self.book.hold(promise, self.clock())
            return

        def notice() -> None:
            self.book.noticed(promise, keep_notice(promise, ready, self.settings))

        self._render(promise, notice, promise.notice_give_up_at)

    def _render(self, promise: Promise, make: Callable[[], None], give_up_at: datetime) -> None:
        """Claim and make; what fails for a while is made again within `give_up_at`."""
        attempts = self.book.claim_rendering(promise, self.clock())
        if attempts is not None:
            self._made(promise, attempts, make, give_up_at)

    def _made(
        self, promise: Promise, attempts: int, make: Callable[[], None], give_up_at: datetime | None = None
    ) -> None:
        """Make what is claimed, and record how it failed."""
        try:
            make()
        except MetricpressError as error:
            message = f"{error}. {error.remedy}".strip()
            self.book.rendering_failed(promise, "permanent", message, None)
        except (OSError, psycopg.Error) as error:
            again = retry_at(self.clock(), attempts + 1, give_up_at or promise.give_up_at)
            message = f"not rendered: {error}" + ("" if again else f"; {GIVEN_UP}")
            self.book.rendering_failed(promise, "transient", message, again)
        except RenderingBroken as error:
            self.book.rendering_failed(promise, "permanent", f"not rendered: {error}", None)
        except Exception as error:  # a fault in one template must not stop the other reports
            logger.exception("rendering %s for %s failed", promise.report, promise.tenant_id)
            message = f"not rendered: {type(error).__name__}: {error}"
            self.book.rendering_failed(promise, "permanent", message, None)

    def _report(self, marts: Connection, promise: Promise, ready: Readiness) -> None:
        assert ready.data_version is not None
        template = rendering.template_of(marts, promise)
        look = self._look(promise, template)
        key = rendering.render_key(promise, ready.data_version, look)
        with self.book.rendering_alone(key):
            kept = self.book.kept_rendition(promise.tenant_id, key)
            if kept is not None and rendering.intact(kept.files):
                self.book.rendered(promise, kept, None)
                return
            began = time.monotonic()
            made = rendering.render_and_keep(
                marts, promise, self.settings, ready.data_version, look, template
            )
            self.book.rendered(promise, made, round(time.monotonic() - began, 3))

    def _look(self, promise: Promise, template: OwnTemplate | None = None) -> str:
        named = (promise.report, template.stamp if template else "")
        if named not in self.looks:
            self.looks[named] = rendering.template_version(self.settings, promise.report, template)
        return self.looks[named]

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        if self.marts is None:
            name = "metricpress deliver, marts"
            self.marts = self.stack.enter_context(connect(self.settings, "pipeline", application_name=name))
        with self.marts.transaction():
            self.marts.execute("set transaction isolation level repeatable read, read only")
            yield self.marts
