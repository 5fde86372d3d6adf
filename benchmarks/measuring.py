"""How the benchmarks measure: processor time of the server, its statements, wall time, memory.

Belongs here: measuring that is the same for every side of a ratio. Does not belong here: what is measured.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from orchestration.settings import Settings
from orchestration.warehouse.server import EmbeddedServer

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 1_000_000
SAMPLE_SECONDS = 0.1
#: A line of the server's log about a finished statement; the text goes on in lines that begin with a tab.
LOGGED = re.compile(
    r"^(?P<at>[\d-]+ [\d:.]+) \S+ \[\d+\] (?P<app>.*?) LOG:  duration: (?P<ms>[\d.]+) ms(?:  (?P<what>.*))?$"
)
NODE = re.compile(r'"node_id": "(?:model|test)\.metricpress\.([\w.]+)"')


@dataclass(frozen=True)
class Cost:
    """What one step cost.

    `database`: processor seconds of all server processes, by the kernel's accounts. `statements`: seconds of
    all statements by the server's log, added up also where they ran side by side. `outside`: wall seconds in
    which no statement ran. `peak`: megabytes of the step's own processes, where it had any.
    """

    wall: float
    database: float
    statements: float
    outside: float
    peak: float | None = None

    def shown(self) -> dict[str, float | None]:
        """Rounded, for the results as JSON."""
        return {name: None if value is None else round(value, 3) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Statement:
    """One statement of the server's log: when it ended (seconds of the day), its duration and text."""

    ended: float
    seconds: float
    application: str
    text: str

    @property
    def name(self) -> str:
        """The dbt node it belongs to, else who sent it and how it begins."""
        node = NODE.search(self.text)
        if node:
            return node.group(1)
        return f"{self.application}: {' '.join(re.sub(r'^[a-z ]*<?[^:]*>?: ', '', self.text).split())[:60]}"


class Server:
    """The embedded server under measurement."""

    def __init__(self, settings: Settings) -> None:
        server = EmbeddedServer(settings.home)
        self.url = server.start().url
        self.log = server.log
        self.postmaster = int((server.link / "data" / "postmaster.pid").read_text().split()[0])

    def processor_seconds(self) -> float:
        """User and system time of the server's processes, those that have ended included.

        Read anew when a process ended meanwhile: it would be missed, or counted twice.
        """
        while True:
            ended = self._of_ended_processes()
            living = 0
            for entry in os.scandir("/proc"):
                fields = _stat(int(entry.name)) if entry.name.isdigit() else None
                if fields and int(fields[3]) == self.postmaster:
                    living += int(fields[13]) + int(fields[14])
            if self._of_ended_processes() == ended:
                return (ended + living) / TICKS

    def _of_ended_processes(self) -> int:
        own = _stat(self.postmaster)
        return int(own[15]) + int(own[16]) if own else 0

    def log_size(self) -> int:
        """Where the log ends now."""
        return self.log.stat().st_size

    def statements_since(self, offset: int) -> list[Statement]:
        """Finished statements that were logged after `offset`."""
        with self.log.open("rb") as file:
            file.seek(offset)
            lines = file.read().decode("utf-8", "replace").splitlines()
        found: list[Statement] = []
        text: list[str] = []
        head: re.Match[str] | None = None
        for line in [*lines, ""]:
            if line.startswith("\t"):
                text.append(line)
                continue
            if head is not None:
                found.append(_statement(head, text))
            head = LOGGED.match(line)
            text = [head.group("what") or ""] if head else []
        return found


def _statement(head: re.Match[str], text: list[str]) -> Statement:
    hours, minutes, seconds = head.group("at").split()[1].split(":")
    ended = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return Statement(ended, float(head.group("ms")) / 1000, head.group("app"), "\n".join(text))


def _stat(pid: int) -> list[str] | None:
    """/proc/PID/stat, split; the name in parentheses may hold blanks and counts as one field."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, tail = text.rpartition(")")
    return [*head.split("(", 1), *tail.split()]


def busy_seconds(statements: Sequence[Statement]) -> float:
    """Seconds in which at least one statement ran."""
    total, until = 0.0, float("-inf")
    for start, end in sorted((s.ended - s.seconds, s.ended) for s in statements):
        if end > until:
            total += end - max(start, until)
            until = end
    return total


def measured(server: Server, step: Callable[[], Any]) -> tuple[Any, Cost]:
    """Run a step and tell its result and its cost; a step that returns a number tells its peak memory."""
    offset, processor, began = server.log_size(), server.processor_seconds(), time.perf_counter()
    result = step()
    wall = time.perf_counter() - began
    statements = server.statements_since(offset)
    return result, Cost(
        wall=wall,
        database=server.processor_seconds() - processor,
        statements=sum(s.seconds for s in statements),
        outside=max(0.0, wall - busy_seconds(statements)),
        peak=result if isinstance(result, float) else None,
    )


def run_program(
    command: Sequence[str], environment: Mapping[str, str], accepted: Sequence[int] = (0,)
) -> float:
    """Run a program to its end; peak megabytes of it and all its descendants together.

    Raises RuntimeError with the end of its output when it ends with another code than those accepted.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peak = 0.0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_SECONDS):
            peak = max(peak, _tree_megabytes(process.pid))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    output, _ = process.communicate()
    done.set()
    sampler.join()
    if process.returncode not in accepted:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}")
    return peak


def _tree_megabytes(root: int) -> float:
    """Resident memory of a process and its descendants, shared pages counted in each."""
    parents: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            pid = int(entry.name)
            parents.setdefault(int(fields[3]), []).append(pid)
            pages[pid] = int(fields[23])
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        total += pages.get(pid, 0)
        waiting.extend(parents.get(pid, []))
    return total * PAGE / MEGABYTE


def machine(url: str) -> str:
    """One line about where this was measured."""
    with psycopg.connect(url) as connection:
        version = connection.execute("select current_setting('server_version')").fetchone()
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    load_average = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} x {model[0] if model else platform.processor()}, load average {load_average},"
        f" Python {platform.python_version()}, PostgreSQL {version[0] if version else '?'}"
    )
