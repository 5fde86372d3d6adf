"""An SMTP server of its own process that fails where it is told to, and keeps what it took in a file.

    python fault_server.py MAILBOX

Prints its port, then obeys one JSON object a line on standard input, each answered by one on standard
output: `rules` replaces the faults, `held` waits until a client is held, `release` lets the held go on,
`refuse` closes the port and every connection, `accept` opens the same port again. It ends with its input.

A rule: {"step", "do"} and optionally {"to": local part of the recipient, "skip": matches to let pass,
"every": n (only each n-th match), "times": how often}. Steps, in the order of a conversation:

    connect, ehlo, mail, rcpt, data   instead of the answer to that command
    text                              when the first bytes of the message are there
    dot                               the whole message is there and is not kept yet
    answer                            it is kept and no answer has gone out
    after                             the answer has gone out

What it does there: answer (with `text`; a 421 closes the connection), drop (closes without an answer), hold
(until released, then goes on with the rules after it), delay (by `seconds`). Every message it keeps is a line
of MAILBOX: envelope recipients and content.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

END = b"\r\n.\r\n"


class _Closed(Exception):
    """The conversation is over."""


class Server:
    """The rules in force, the held clients and the mailbox."""

    def __init__(self, mailbox: Path) -> None:
        self.mailbox = mailbox
        self.port = 0
        self.rules: list[dict[str, Any]] = []
        self.matches: Counter[int] = Counter()
        self.held = asyncio.Event()
        self.released = asyncio.Event()
        self.writers: set[asyncio.StreamWriter] = set()
        self.listener: asyncio.Server | None = None

    async def accept(self) -> None:
        """Listen, on the same port as before."""
        # Named as TCP: only then asyncio answers without waiting for the last answer's acknowledgement.
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A client must not get rid of a large message while nobody reads it.
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        own.bind(("127.0.0.1", self.port))
        self.port = own.getsockname()[1]
        self.listener = await asyncio.start_server(self.converse, sock=own, limit=65536)

    async def refuse(self) -> None:
        """Close the port and drop everybody."""
        if self.listener is not None:
            self.listener.close()
        for writer in list(self.writers):
            writer.transport.abort()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from greeting to end."""
        self.writers.add(writer)
        try:
            await _Conversation(self, reader, writer).run()
        except (_Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def keep(self, recipients: list[str], content: bytes) -> None:
        """Take a message for good."""
        line = json.dumps({"to": recipients, "content": content.decode("ascii")})
        with self.mailbox.open("a") as file:
            file.write(line + "\n")

    def faults(self, step: str, recipient: str) -> list[dict[str, Any]]:
        """The rules that match here, in order."""
        found = []
        for number, rule in enumerate(self.rules):
            if (
                rule["step"] != step
                or rule.get("to", recipient.partition("@")[0]) != recipient.partition("@")[0]
            ):
                continue
            self.matches[number] += 1
            count = self.matches[number] - rule.get("skip", 0)
            if count <= 0 or count % rule.get("every", 1) or count > rule.get("times", count):
                continue
            found.append(rule)
        return found


class _Conversation:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.recipients: list[str] = []

    async def run(self) -> None:
        await self.say("connect", "220 fault.example ESMTP")
        while line := await self.reader.readline():
            verb, _, rest = line.decode("ascii").strip().partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    await self.say("ehlo", "250-fault.example\r\n250 PIPELINING")
                case "MAIL":
                    self.recipients = []
                    await self.say("mail", "250 OK")
                case "RCPT":
                    address = rest.partition("<")[2].partition(">")[0]
                    if await self.say("rcpt", "250 OK", address):
                        self.recipients.append(address)
                case "DATA":
                    if await self.say("data", "354 go on", self.first):
                        await self.text()
                case "RSET" | "NOOP":
                    await self.say(verb.lower(), "250 OK")
                case "QUIT":
                    await self.say("quit", "221 bye")
                    return
                case _:
                    await self.put("502 not known")

    @property
    def first(self) -> str:
        return self.recipients[0] if self.recipients else ""

    async def text(self) -> None:
        content = bytearray(b"\r\n" + await self.reader.read(1024))
        await self.faults("text", self.first)
        while not content.endswith(END):
            more = await self.reader.read(65536)
            if not more:
                raise _Closed
            content += more
        if await self.faults("dot", self.first):
            return
        lines = bytes(content[2:-3]).split(b"\r\n")
        body = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
        self.server.keep(self.recipients, body)
        if not await self.faults("answer", self.first):
            await self.put("250 2.0.0 kept")
        await self.faults("after", self.first)

    async def say(self, step: str, answer: str, recipient: str = "") -> bool:
        """The usual answer unless a rule says otherwise; whether it was the usual one."""
        if await self.faults(step, recipient):
            return False
        await self.put(answer)
        return True

    async def faults(self, step: str, recipient: str) -> bool:
        """Do what the rules ask here; whether one of them took the place of the answer."""
        for rule in self.server.faults(step, recipient):
            match rule["do"]:
                case "answer":
                    await self.put(rule["text"])
                    if rule["text"].startswith("421"):
                        raise _Closed
                    return True
                case "drop":
                    self.writer.transport.abort()
                    raise _Closed
                case "hold":
                    self.server.held.set()
                    await self.server.released.wait()
                case "delay":
                    await asyncio.sleep(rule["seconds"])
        return False

    async def put(self, answer: str) -> None:
        self.writer.write(answer.encode("ascii") + b"\r\n")
        await self.writer.drain()


async def obey(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order of the test; returns the answer."""
    match order["do"]:
        case "rules":
            server.rules, server.matches = order["rules"], Counter()
            server.held.clear()
            server.released.clear()
        case "held":
            try:
                await asyncio.wait_for(server.held.wait(), order["seconds"])
            except TimeoutError:
                return {"held": False}
            return {"held": True}
        case "release":
            server.released.set()
        case "refuse":
            await server.refuse()
        case "accept":
            await server.accept()
    return {}


async def main() -> None:
    server = Server(Path(sys.argv[1]))
    await server.accept()
    print(server.port, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await obey(server, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
