"""A process that renders for a dispatcher: jobs come on standard input, answers go to standard output.

    python -m orchestration.delivery.render_worker

Belongs here: what one worker does with a job. Does not belong here: the ledger, and who starts workers. It
ends with its input, so none outlives a dispatcher that was killed.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import signal
import sys
import time
from importlib import import_module
from typing import Any, BinaryIO

import psycopg
from psycopg import sql

from orchestration.delivery import rendering
from orchestration.delivery.ledger import Rendition
from orchestration.delivery.workers import Answer, Job
from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

logger = logging.getLogger(__name__)

#: Then a worker is replaced: libraries in C give back less memory than they take.
MOST_DOCUMENTS = 1000
MOST_BYTES = 600_000_000
#: Imported before the first job and kept out of every search for garbage.
WARM = ("orchestration.reports.formats.html", "orchestration.reports.formats.pdf")


class Renderer:
    """One worker: its connection to the marts and what it has done."""

    def __init__(self) -> None:
        self._marts: psycopg.Connection[Any] | None = None
        self._documents = 0

    def answer(self, job: Job) -> Answer:
        """Render; every failure of the report itself is an answer."""
        began = time.monotonic()
        self._documents += 1
        try:
            made = self._render(job)
        except MetricpressError as error:
            return self._failed(began, "refused", str(error), error.remedy)
        except (OSError, psycopg.Error) as error:
            self._close()
            return self._failed(began, "later", str(error))
        except Exception as error:  # a fault in one template must not stop the other reports
            logger.exception("rendering %s for %s failed", job.promise.report, job.promise.tenant_id)
            return self._failed(began, "broken", f"{type(error).__name__}: {error}")
        return Answer(made, round(time.monotonic() - began, 3), self._is_worn())

    def _render(self, job: Job) -> Rendition:
        marts = self._connection(job.settings)
        with marts.transaction():
            marts.execute("set transaction isolation level repeatable read, read only")
            marts.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(job.snapshot)))
            return rendering.render_and_keep(marts, job.promise, job.settings, job.data_version, job.look)

    def _connection(self, settings: Settings) -> psycopg.Connection[Any]:
        if self._marts is None or self._marts.closed:
            name = "metricpress deliver, worker"
            self._marts = connect(settings, "pipeline", application_name=name)
        return self._marts

    def _close(self) -> None:
        if self._marts is not None:
            self._marts.close()
            self._marts = None

    def _failed(self, began: float, failure: Any, message: str, remedy: str = "") -> Answer:
        seconds = round(time.monotonic() - began, 3)
        return Answer(None, seconds, self._is_worn(), failure, message, remedy)

    def _is_worn(self) -> bool:
        return self._documents >= MOST_DOCUMENTS or _resident_bytes() > MOST_BYTES


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer one job after the other until the input ends."""
    renderer = Renderer()
    while True:
        try:
            job = pickle.load(jobs)
        except EOFError:
            return
        pickle.dump(renderer.answer(job), answers)
        answers.flush()


def main() -> None:
    """Keep the answers' pipe to itself: what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the dispatcher decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for module in WARM:
        import_module(module)
    gc.freeze()
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
