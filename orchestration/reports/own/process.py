"""Own templates are rendered in a process of their own, with limits; this is the caller's side.

Belongs here: starting the server (once a process, when first needed), one rendering, what its end means. Does
not belong here: what runs in the child.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import MetricpressError
from orchestration.reports.own.template import LARGEST_FILE, Limits, TemplateFailure

if TYPE_CHECKING:
    from orchestration.reports.own.child import Job

#: A server that is not ready by then will never be: it imports WeasyPrint on a busy machine.
START_SECONDS = 120
#: Between the limit and the moment the server must have told of the end.
GRACE_SECONDS = 10
#: Signals by which the C libraries and the kernel end a process that asks for too much.
_MEMORY_SIGNALS = (signal.SIGABRT, signal.SIGTRAP, signal.SIGSEGV, signal.SIGBUS)


@dataclass
class Server:
    """A running forkserver of this process."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    owner: int

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked; one that a fork inherited belongs to the other process."""
        return self.owner == os.getpid() and self.process.poll() is None


_servers: dict[tuple[Path | None, str], Server] = {}
_lock = threading.Lock()


def render_apart(job: Job, limits: Limits, template_dir: Path | None, edition: str) -> dict[str, bytes]:
    """Format to file. Raises TemplateFailure when the template fails or goes beyond its limits.

    `edition`: tells apart states of the house's style sheets, which the server keeps in memory.
    """
    with _asked(limits, _server(template_dir, edition)) as (pipe, status):
        answer, files = _exchange(pipe, job)
        end = _end_of(status)
    if end.get("overdue"):
        raise TemplateFailure("time", f"the template took longer than {limits.seconds} s and was ended")
    if answer is None:
        raise _died(end, limits)
    if "kind" in answer:
        raise TemplateFailure(answer["kind"], answer["message"], answer.get("line"))
    return dict(zip(answer["files"], files, strict=True))


def close() -> None:
    """End the servers of this process; the next rendering starts anew."""
    with _lock:
        for server in _servers.values():
            if server.owner == os.getpid():
                _stop(server)
        _servers.clear()


atexit.register(close)


def _server(template_dir: Path | None, edition: str) -> Server:
    with _lock:
        server = _servers.get((template_dir, edition))
        if server is not None and server.is_alive:
            return server
        for key, old in list(_servers.items()):
            if key[0] == template_dir or not old.is_alive:
                _stop(old)
                del _servers[key]
        made = _servers[template_dir, edition] = _start(template_dir)
        return made


def _start(template_dir: Path | None) -> Server:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "orchestration.reports.own.server", str(theirs.fileno())]
    # The address of the database and keys of channels are none of a template's business.
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
    process = subprocess.Popen(
        [*command, str(template_dir or "")], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=kept | {"PYTHONPATH": _ROOT},
        start_new_session=True,
    )  # fmt: skip
    theirs.close()
    ours.settimeout(START_SECONDS)
    try:
        ready = ours.recv(16)
    except TimeoutError:
        ready = b""
    ours.settimeout(None)
    if not ready:
        process.kill()
        told = process.communicate()[1].decode(errors="replace").strip().splitlines()
        raise MetricpressError(
            f"the process for own templates did not start: {told[-1] if told else 'no reason given'}",
            remedy="Run: metricpress doctor",
        )
    return Server(process, ours, os.getpid())


_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "FONTCONFIG_FILE",
                "FONTCONFIG_PATH", "XDG_CACHE_HOME", "SOURCE_DATE_EPOCH")  # fmt: skip
_ROOT = str(Path(__file__).resolve().parents[3])


def _stop(server: Server) -> None:
    server.control.close()
    if server.owner != os.getpid():
        return
    try:
        server.process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    if server.process.stderr is not None:
        server.process.stderr.close()


@contextmanager
def _asked(limits: Limits, server: Server) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A child's pipe and the socket that tells of its end; leaving ends the child."""
    pipe, childs = socket.socketpair()
    status, servers = socket.socketpair()
    with pipe, status:
        for one in (pipe, status):
            one.settimeout(limits.seconds + GRACE_SECONDS)
        message = json.dumps({"seconds": limits.seconds, "megabytes": limits.megabytes}).encode()
        try:
            socket.send_fds(server.control, [message], [childs.fileno(), servers.fileno()])
        except OSError as error:
            raise TemplateFailure("fault", f"the process for own templates has ended: {error}") from error
        finally:
            childs.close()
            servers.close()
        yield pipe, status


def _exchange(pipe: socket.socket, job: Job) -> tuple[dict[str, Any] | None, list[bytes]]:
    """What the child answers and its files; None when it ended without a word."""
    from orchestration.reports.own.child import read_frame, write_frame

    try:
        write_frame(pipe, pickle.dumps(job))
        answer: dict[str, Any] = json.loads(read_frame(pipe, 1_000_000))
        return answer, [read_frame(pipe, LARGEST_FILE) for _ in answer.get("files", ())]
    except (OSError, EOFError):
        return None, []
    except (ValueError, UnicodeDecodeError) as error:
        raise TemplateFailure(
            "output", f"the template's process answers with what is no report: {error}"
        ) from error


def _end_of(status: socket.socket) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        told = status.recv(4096)
        if told:
            end: dict[str, Any] = json.loads(told)
            return end
    return {}


def _died(end: dict[str, Any], limits: Limits) -> TemplateFailure:
    """Why a child ended without an answer."""
    code = end.get("code")
    if code == -signal.SIGXCPU:
        return TemplateFailure("time", f"the template took longer than {limits.seconds} s and was ended")
    if code is not None and -code in _MEMORY_SIGNALS:
        return TemplateFailure(
            "memory", f"the template needs more memory than {limits.megabytes} MB, or nests too deeply"
        )
    return TemplateFailure("fault", f"the template's process ended with {code}")
