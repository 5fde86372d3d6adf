"""An SMTP server of its own process: keeps what it accepted as files, misbehaves for some recipients.

    python mail_server.py MAILBOX CERTIFICATE KEY starttls|tls|plain [PORT]

Prints its port, then serves until standard input ends. What it does follows from the recipient's local part:
reject550, busy450, gone421 (the answer to RCPT), data550, data451 (the answer to the message), drop (accepts
the message, closes without an answer), slow (answers after a second). All others are accepted.
MAILBOX/connections counts logins.
"""

from __future__ import annotations

import asyncio
import itertools
import json
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
}
AT_DATA = {"data550": "550 5.7.1 refused content", "data451": "451 4.3.0 try later"}


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count(1)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        answer = AT_RCPT.get(address.partition("@")[0])
        if answer is None:
            envelope.rcpt_tos.append(address)
        elif answer.startswith("421"):
            await server.push(answer)
            server.transport.close()
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        name = envelope.rcpt_tos[0].partition("@")[0]
        if name in AT_DATA:
            return AT_DATA[name]
        self.keep(session, envelope)
        if name == "slow":
            await asyncio.sleep(1)
        if name == "drop":
            server.transport.abort()
        return "250 2.0.0 kept"

    def keep(self, session: Any, envelope: Any) -> None:
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "login": session.authenticated,
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
        return SMTP(
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


if __name__ == "__main__":
    asyncio.run(serve())
