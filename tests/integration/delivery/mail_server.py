"""An SMTP server of its own process: keeps what it accepted as files, misbehaves for some recipients.

    python mail_server.py MAILBOX CERTIFICATE KEY starttls|tls|plain [PORT] [HABIT...]

Prints its port, then serves until standard input ends. What it does follows from the recipient's local part:
reject550, busy450, gone421 (the answer to RCPT), data550, data451, data421 (the answer to the message), drop
(accepts the message, closes without an answer), slow (answers after a second), cut (closes within the text),
garbage (answers RCPT with nonsense), tarpit (answers RCPT after a second), mute (accepts the message, answers
after five), babble, again (accept the message, answer with nonsense, with 354). `rcpt-550`,
`rcpt-550-5.7.1` are answered so to RCPT, `data-552-5.3.4` to the message. All others are accepted.

Habits: pipelining (offers it), most=N (421 to the message after N on one connection), hang (answers MAIL
after five seconds), busy (421 instead of a greeting), sender550 (to MAIL).
MAILBOX/connections counts logins.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

LOGIN = LoginPassword(b"metricpress", b"open:sesame")
AT_RCPT = {
    "reject550": "550 5.1.1 no such mailbox",
    "busy450": "450 4.2.1 mailbox busy",
    "gone421": "421 4.3.2 closing down",
    "garbage": "\x1b[31mbanana\x00 split",
}
AT_DATA = {
    "data550": "550 5.7.1 refused content",
    "data451": "451 4.3.0 try later",
    "data421": "421 4.3.2 closing down",
    "babble": "yes, I think so",
    "again": "354 go on",
}
SPELT_OUT = re.compile(r"(rcpt|data)-(\d{3})(?:-(\d\.\d+\.\d+))?(?:-(\w+))?")


def answer_to(step: str, address: str, known: dict[str, str]) -> str | None:
    """`rcpt-550-5.7.1-denied` is `550 5.7.1 denied` at RCPT."""
    name = address.partition("@")[0]
    spelt = SPELT_OUT.fullmatch(name)
    if spelt and spelt[1] == step:
        return " ".join(filter(None, (spelt[2], spelt[3], (spelt[4] or "no such user").replace("_", " "))))
    return known.get(name)


class Server(SMTP):
    """What no handler can do: closing within the text, and asking for it from nobody."""

    async def push(self, status: Any) -> None:
        if "busy" in HABITS and str(status).startswith("220") and not self.session.ssl:
            await super().push("421 4.3.2 too many connections")
            self.transport.close()
            return
        await super().push(status)

    async def smtp_DATA(self, arg: str) -> None:
        names = [address.partition("@")[0] for address in self.envelope.rcpt_tos]
        if "cut" in names:
            await self.push("354 go on")
            await self._reader.readexactly(10_000)
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count(1)

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, name: str, offers: list[str]
    ) -> list[str]:
        session.host_name = name
        session.taken = 0
        return [*offers[:-1], "250-PIPELINING", offers[-1]] if "pipelining" in HABITS else offers

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if "hang" in HABITS:
            await asyncio.sleep(5)
        if "sender550" in HABITS:
            return "550 5.1.1 sender not known here"
        if session.taken >= MOST:
            await server.push("421 4.7.0 too many messages, come again")
            server.transport.close()
            return "421 closed"
        session.pipelined = b"RCPT" in server._reader._buffer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("tarpit@"):
            await asyncio.sleep(1)
        answer = answer_to("rcpt", address, AT_RCPT)
        if answer is None:
            envelope.rcpt_tos.append(address)
        elif answer.startswith("421"):
            await server.push(answer)
            server.transport.close()
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        address = envelope.rcpt_tos[0]
        name = address.partition("@")[0]
        answer = answer_to("data", address, AT_DATA)
        if answer and answer[0] in "45":
            return answer
        self.keep(session, envelope)
        session.taken += 1
        if name in ("slow", "mute"):
            await asyncio.sleep(1 if name == "slow" else 5)
        if name == "drop":
            server.transport.abort()
        return answer or "250 2.0.0 kept"

    def keep(self, session: Any, envelope: Any) -> None:
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "login": session.authenticated,
            "pipelined": session.pipelined,
            "content": envelope.content.decode("ascii"),
        }
        number = next(self.numbers)
        partial = self.folder / f".{number}.partial"
        partial.write_text(json.dumps(mail))
        partial.rename(self.folder / f"{number}.json")


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    folder = server.event_handler.folder
    with (folder / "connections").open("a") as log:
        log.write("x")
    return AuthResult(success=data == LOGIN, handled=False)


async def serve() -> None:
    folder, certificate, key, security = Path(sys.argv[1]), *sys.argv[2:5]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    starttls = security == "starttls"
    mailbox = Mailbox(folder)

    def session() -> SMTP:
        return Server(
            mailbox,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    port = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    over_tls = context if security == "tls" else None
    server = await loop.create_server(session, "127.0.0.1", port, ssl=over_tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


HABITS = sys.argv[6:]
MOST = next((int(habit[5:]) for habit in HABITS if habit.startswith("most=")), 10**9)

if __name__ == "__main__":
    asyncio.run(serve())
