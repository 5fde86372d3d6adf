"""The process that forks a child for each rendering: WeasyPrint and Jinja loaded, fonts and styles prepared.

Started by process.py as `python -m orchestration.reports.own.server SOCKET TEMPLATE_DIR`. Belongs here:
forking, the clock, the killing. Does not belong here: what a child does (child.py).

Each message on its socket is {"seconds", "megabytes"} with two descriptors: the child's pipe, and one on
which the server tells how the child ended. It ends with the process that started it, and its children with
it.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import sysconfig
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from PIL import Image
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from orchestration.reports.formats.html import STYLES
from orchestration.reports.formats.pdf import AssetFetcher
from orchestration.reports.messages import languages, read_messages
from orchestration.reports.own import child
from orchestration.reports.own.markup import check_page
from orchestration.reports.own.sample import warm_page
from orchestration.reports.templates import asset

TICK = 1.0
READY = b"ready"


@dataclass
class Running:
    """A child at work, when it has to end, and where its end is told."""

    status: socket.socket
    ends_at: float
    is_overdue: bool = False


def main() -> None:
    """Serve until the parent is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    template_dir = Path(sys.argv[2]) if sys.argv[2:] and sys.argv[2] else None
    logging.disable(logging.CRITICAL)
    sys.dont_write_bytecode = True
    parent = os.getppid()
    styles = prepare(template_dir)
    gc.collect()
    gc.freeze()  # children share what is there
    control.sendall(READY)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads what libraries complain about
    waker, woken = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, Running] = {}
    while os.getppid() == parent:
        wait = (
            min((one.ends_at for one in running.values()), default=time.monotonic() + TICK) - time.monotonic()
        )
        readable, _, _ = select.select([control, woken], [], [], max(0.0, min(TICK, wait)))
        if woken in readable:
            with suppress(BlockingIOError):
                woken.recv(4096)
        if control in readable and not _accept(control, styles, running):
            break
        _end_overdue(running)
        _reap(running)
    for pid in running:
        _kill(pid)


def prepare(template_dir: Path | None) -> child.Styles:
    """Parse the house's style sheets and print a page, so that all modules and fonts are in memory."""
    import_module("jinja2.debug")  # it explains errors; children open nothing
    Image.init()
    for language in languages():
        read_messages(language)
    fetcher, fonts = AssetFetcher(template_dir), FontConfiguration()
    sheets = [
        CSS(
            string=asset(name, template_dir).read_text("utf-8"),
            base_url="asset:///",
            url_fetcher=fetcher,
            font_config=fonts,
        )
        for name in STYLES
    ]
    markup = warm_page()
    HTML(string=markup, url_fetcher=child.NoFetcher()).write_pdf(
        stylesheets=sheets, font_config=fonts, pdf_variant="pdf/ua-1"
    )
    check_page(markup)
    return child.Styles(sheets, fonts)


def _accept(control: socket.socket, styles: child.Styles, running: dict[int, Running]) -> bool:
    """Fork a child for the next request; False when there will be none any more."""
    message, descriptors, _, _ = socket.recv_fds(control, 4096, 2)
    if not message:
        return False
    asked = json.loads(message)
    pipe, status = (socket.socket(fileno=number) for number in descriptors)
    pid = os.fork()
    if pid:
        pipe.close()
        running[pid] = Running(status, time.monotonic() + asked["seconds"])
        return True
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        child.run(pipe, styles, asked["seconds"], asked["megabytes"], READABLE)
        code = 0
    finally:
        os._exit(code)


#: What Python and the libraries of fonts may still read: modules and system fonts.
READABLE = tuple(
    f"{folder}/"
    for folder in {
        sys.prefix,
        sys.base_prefix,
        *(sysconfig.get_path(kind) for kind in ("stdlib", "purelib")),
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        "/etc/fonts",
        "/usr/share/mime",
    }
)


def _end_overdue(running: dict[int, Running]) -> None:
    now = time.monotonic()
    for pid, one in running.items():
        gone = False
        with suppress(BlockingIOError, OSError):
            gone = one.status.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        if not one.is_overdue and (gone or now >= one.ends_at):
            one.is_overdue = True
            one.ends_at = now + TICK
            _kill(pid)


def _reap(running: dict[int, Running]) -> None:
    """Tell how children ended: code, signal, whether by the clock, and their largest memory in kB."""
    while running:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        one = running.pop(pid, None)
        if one is None:
            continue
        end = {
            "code": os.waitstatus_to_exitcode(status),
            "overdue": one.is_overdue,
            "kilobytes": usage.ru_maxrss,
        }
        with suppress(OSError):
            one.status.sendall(json.dumps(end).encode())
        one.status.close()


def _kill(pid: int) -> None:
    """The child with its group; before it has one of its own, the child alone."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
