"""A headless Chromium that prints pages to PDF, driven over a pipe.

Belongs here: starting it, its protocol as far as printing needs it. Does not belong here: what is measured.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAM = "/usr/bin/chromium"
#: The browser reads its orders from 3 and answers on 4.
ORDERS, ANSWERS = 3, 4
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-extensions", "--remote-debugging-pipe")  # fmt: skip


class Chromium:
    """One browser, kept open."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        read_orders, self._orders = os.pipe()
        self._answers, write_answers = os.pipe()
        # Out of the way of the numbers they are to have.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read_orders, write_answers)]
        shell = f'exec "$0" "$@" {ORDERS}<&{theirs[0]} {ANSWERS}>&{theirs[1]}'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", shell, PROGRAM, *OPTIONS, f"--user-data-dir={self._profile.name}"],
            pass_fds=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (read_orders, write_answers, *theirs):
            os.close(end)
        self._buffer = b""
        self._last = 0
        self._page = self._new_page()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self._orders)
        os.close(self._answers)
        self._profile.cleanup()

    def print_reused(self, path: Path) -> bytes:
        """The page of a file as PDF, in the one page that is kept."""
        return self._print(self._page[1], path)

    def print_new(self, path: Path) -> bytes:
        """The same in a page of its own, closed afterwards."""
        target, session = self._new_page()
        data = self._print(session, path)
        self._call("Target.closeTarget", {"targetId": target})
        return data

    def _new_page(self) -> tuple[str, str]:
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._call("Page.enable", session=attached["sessionId"])
        return target, attached["sessionId"]

    def _print(self, session: str, path: Path) -> bytes:
        self._call("Page.navigate", {"url": path.as_uri()}, session, until="Page.loadEventFired")
        asked = {"preferCSSPageSize": True, "printBackground": True, "generateTaggedPDF": True}
        return base64.b64decode(self._call("Page.printToPDF", asked, session)["data"])

    def _call(
        self, method: str, values: dict[str, Any] | None = None, session: str | None = None, until: str = ""
    ) -> dict[str, Any]:
        """What a command answers, after event `until` where one is named."""
        self._last += 1
        order = {"id": self._last, "method": method, "params": values or {}}
        order |= {"sessionId": session} if session else {}
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        answer: dict[str, Any] | None = None
        has_come = not until
        while answer is None or not has_come:
            told = self._read()
            if told.get("id") == self._last:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                answer = told["result"]
            has_come = has_come or told.get("method") == until
        return answer

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._answers, 1 << 20)
            if not more:
                raise RuntimeError(f"{PROGRAM} ended")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        return told
