"""Processes that render for a dispatcher, kept warm: imports and parsed style sheets are paid once.

Belongs here: what a worker is asked and answers, starting, watching, renewing and ending workers. Does not
belong here: the ledger, which only the dispatcher writes, and how a report is rendered (render_worker.py).
"""

from __future__ import annotations

import pickle
import queue
import select
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from orchestration.delivery.ledger import Rendition
from orchestration.delivery.records import Promise
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

COMMAND = (sys.executable, "-m", "orchestration.delivery.render_worker")
#: Below that, starting workers takes longer than rendering here.
FEWEST = 12
#: Renditions under way and waiting for each worker: some seconds of work between two sendings.
EACH = 8
#: Of one report, the first of a worker's with its imports. The longest document known takes a tenth.
LONGEST_SECONDS = 120.0
END_SECONDS = 5.0


@dataclass(frozen=True)
class Job:
    """One rendition: `snapshot` is what the dispatcher judged to be ready, exported by its transaction."""

    promise: Promise
    settings: Settings
    data_version: str
    look: str
    snapshot: str


@dataclass(frozen=True)
class Answer:
    """What became of a job; `is_worn`: the worker wants to be replaced.

    `failure`: refused (for good, what a person has to mend), later (disk, database), broken (a fault).
    """

    rendition: Rendition | None
    seconds: float
    is_worn: bool
    failure: Literal["refused", "later", "broken", ""] = ""
    message: str = ""
    remedy: str = ""


class RenderingBroken(Exception):
    """A fault in a document or template, as a worker told it."""


class Workers:
    """At most `count` worker processes, started when work comes; leaving the context ends them."""

    def __init__(
        self, count: int, command: Sequence[str] = COMMAND, seconds: float = LONGEST_SECONDS
    ) -> None:
        self.count = count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="renderer")
        self._all = [_Worker(command, seconds) for _ in range(count)]
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._all:
            self._free.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # First what waits: a thread whose worker is killed would start another for it.
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            worker.kill()
        self._threads.shutdown()
        for worker in self._all:  # started by a thread that was between two jobs
            worker.kill()

    def submit(self, job: Job) -> Future[Answer]:
        """The answer to come. Its errors: MetricpressError, RenderingBroken, and OSError for what may pass:
        a disk, the database, a worker that died or took too long (TimeoutError)."""
        return self._threads.submit(self._render, job)

    def _render(self, job: Job) -> Answer:
        worker = self._free.get()
        try:
            return worker.render(job)
        finally:
            self._free.put(worker)


class _Worker:
    """One process, started by its first job and again after it ended; used by one thread at a time."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, job: Job) -> Answer:
        process = self._process or subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._process = process
        try:
            answer = self._ask(process, job)
        except TimeoutError:
            self.kill()
            raise
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self.kill()
            code = process.returncode
            raise ChildProcessError(f"the process that rendered it ended with {code}") from error
        if answer.is_worn:
            self._end()
        match answer.failure:
            case "refused":
                raise MetricpressError(answer.message, remedy=answer.remedy)
            case "later":
                raise OSError(answer.message)
            case "broken":
                raise RenderingBroken(answer.message)
        return answer

    def _ask(self, process: subprocess.Popen[bytes], job: Job) -> Answer:
        assert process.stdin is not None and process.stdout is not None
        pickle.dump(job, process.stdin)
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self._seconds)[0]:
            raise TimeoutError(f"it took longer than {self._seconds:.0f} seconds and was ended")
        answer: Answer = pickle.load(process.stdout)
        return answer

    def kill(self) -> None:
        """End the process, whatever it does: it holds nothing that another would miss."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            self._close(process)

    def _end(self) -> None:
        """Let the process end by itself; it has nothing to do any more."""
        process, self._process = self._process, None
        if process is not None:
            self._close(process)

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # what was not read yet is lost with the process
            process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
