"""A mail server of its own process for the benchmark: takes everything, keeps each message as a file.

python smtp_sink.py FOLDER        prints its port, serves until standard input ends
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


class Sink:
    """FOLDER/NUMBER holds the recipient in its first line, then the message."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep one message."""
        with (self.folder / f"{next(self.numbers):06}").open("wb") as file:
            file.write(envelope.rcpt_tos[0].encode() + b"\n")
            file.write(envelope.content)
        return "250 2.0.0 kept"


async def serve() -> None:
    """Until standard input ends."""
    sink = Sink(Path(sys.argv[1]))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
