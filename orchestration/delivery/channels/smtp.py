"""Mail over SMTP with verified TLS: one connection for a batch, one transaction and one outcome a recipient.

Belongs here: the conversation with the server and what its answers mean. Does not: composing the message
(message.py), retrying (service) and remembering (ledger).
"""

from __future__ import annotations

import logging
import re
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from orchestration.delivery.channels.message import compose, sender_address
from orchestration.delivery.channels.parcel import Parcel
from orchestration.delivery.failures import (
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)
from orchestration.errors import MetricpressError

COMMAND_SECONDS = 30.0
#: RFC 5321 lets a server think for ten minutes after the final dot; cutting it short makes outcomes unknown.
ANSWER_SECONDS = 600.0
LINE_START_DOT = re.compile(rb"(?m)^\.")


logger = logging.getLogger(__name__)


class _BrokenOff(TransientFailure):
    """The connection ended before the text of a message: nothing of it was taken."""


@dataclass(frozen=True)
class SmtpServer:
    """Where and how to log in. `security`: starttls (smtp://), tls (smtps://) or none (smtp://...?tls=none)."""

    host: str
    port: int
    security: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """Read METRICPRESS_SMTP_URL. Raises MetricpressError that does not repeat it: it holds a password."""
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        without_tls = options.get("tls") == ["none"]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise MetricpressError(
                "METRICPRESS_SMTP_URL is not smtp://user:password@host:port or smtps://...",
                remedy="Percent-encode special characters in user and password.",
            )
        if without_tls and (parts.username or parts.scheme == "smtps"):
            raise MetricpressError(
                "METRICPRESS_SMTP_URL asks for tls=none together with a login or smtps",
                remedy="A password never goes over an unencrypted connection: leave tls=none out.",
            )
        security = "none" if without_tls else "tls" if parts.scheme == "smtps" else "starttls"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if security == "tls" else 587),
            security=security,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class SmtpChannel:
    """A batch of messages over one connection, made on the first message and again after it broke."""

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        *,
        command_seconds: float = COMMAND_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.server = server
        self.sender = sender
        self._command_seconds = command_seconds
        self._answer_seconds = answer_seconds
        self._connection: smtplib.SMTP | None = None
        self._unreachable: TransientFailure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            try:
                self._connection.quit()
            except (smtplib.SMTPException, OSError):
                self._drop()
            self._connection = None

    def send(self, parcel: Parcel) -> str:
        """Hand the message to the server; returns its answer."""
        payload = LINE_START_DOT.sub(b"..", compose(parcel, self.sender))
        connection = self._begun(parcel.recipient)
        self._text(connection, payload)
        return self._answer(connection)

    def _begun(self, recipient: str) -> smtplib.SMTP:
        """A connection that waits for the text of a message to that recipient."""
        kept = self._connection is not None
        try:
            connection = self._connected()
            self._envelope(connection, recipient)
        except _BrokenOff as failure:
            if not kept:
                raise
            # A kept connection may have been closed while documents were rendered: once more on a new one.
            logger.info("%s; connecting again", failure)
            connection = self._connected()
            self._envelope(connection, recipient)
        return connection

    def _connected(self) -> smtplib.SMTP:
        """The batch's connection, made when there is none."""
        if self._unreachable is not None:
            raise self._unreachable
        if self._connection is None:
            try:
                self._connection = _connect(self.server, self._command_seconds)
            except TransientFailure as failure:
                # The rest of the batch would wait for the same time-out one by one.
                self._unreachable = failure
                raise
        return self._connection

    def _envelope(self, connection: smtplib.SMTP, recipient: str) -> None:
        try:
            self._expect(connection.mail(sender_address(self.sender)), (250,), "MAIL FROM")
            self._expect(connection.rcpt(recipient), (250, 251), f"RCPT TO {recipient}")
            self._expect(connection.docmd("DATA"), (354,), "DATA")
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise _BrokenOff(f"{self._place} broke off before the message: {_words(error)}") from error

    def _text(self, connection: smtplib.SMTP, payload: bytes) -> None:
        # Sent apart from the final dot: when this breaks, the server cannot have taken the message.
        try:
            connection.send(payload)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise TransientFailure(f"{self._place} broke off within the message: {_words(error)}") from error

    def _answer(self, connection: smtplib.SMTP) -> str:
        assert connection.sock is not None
        try:
            connection.sock.settimeout(self._answer_seconds)
            connection.send(b".\r\n")
            code, answer = connection.getreply()
            connection.sock.settimeout(self._command_seconds)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise UnknownOutcome(
                f"{self._place} gave no answer after the whole message: {_words(error)}"
            ) from error
        self._expect((code, answer), (250,), "the message")
        return f"{code} {_decoded(answer)}"

    def _expect(self, reply: tuple[int, bytes], fine: tuple[int, ...], step: str) -> None:
        """Raise what a refusal means; the connection stays usable for the next recipient, save after 421."""
        code, answer = reply
        if code in fine:
            return
        message = f"{self._place} answered {code} {_decoded(answer)} to {step}"
        if code == 421 or not self._reset():
            self._drop()
        raise PermanentFailure(message) if 500 <= code < 600 else TransientFailure(message)

    def _reset(self) -> bool:
        """Forget the refused transaction; False when the server does not answer any more."""
        try:
            return self._connection is not None and self._connection.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _place(self) -> str:
        return f"{self.server.host}:{self.server.port}"


def _connect(server: SmtpServer, seconds: float) -> smtplib.SMTP:
    """Connect, encrypt with the certificate verified against the system's authorities, log in.

    SSL_CERT_FILE adds a private authority. Every failure is transient: it is the server's or the settings',
    not the recipient's, and goes away when somebody mends it.
    """
    try:
        return _logged_in(server, seconds)
    except ssl.SSLCertVerificationError as error:
        failure = f"certificate not trusted ({error.verify_message}); SSL_CERT_FILE can name its authority"
    except smtplib.SMTPAuthenticationError as error:
        failure = f"it refused the login of METRICPRESS_SMTP_URL ({error.smtp_code})"
    except smtplib.SMTPNotSupportedError as error:
        failure = f"{_words(error)}; smtp:// needs STARTTLS, smtps:// is TLS from the start"
    except (smtplib.SMTPException, OSError) as error:
        failure = _words(error)
    raise TransientFailure(f"cannot use the mail server {server.host}:{server.port}: {failure}")


def _logged_in(server: SmtpServer, seconds: float) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=seconds, context=context
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
    try:
        if server.security == "starttls":
            connection.starttls(context=context)
        if server.username is not None:
            connection.login(server.username, server.password or "")
        else:
            connection.ehlo_or_helo_if_needed()
    except BaseException:
        connection.close()
        raise
    assert connection.sock is not None
    # The final dot follows the text at once: without this it would wait for the text's acknowledgement.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _decoded(answer: bytes) -> str:
    return " ".join(answer.decode("utf-8", "replace").split())


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
