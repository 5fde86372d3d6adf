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
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from orchestration.delivery.channels.message import Composer
from orchestration.delivery.channels.parcel import Parcel
from orchestration.delivery.failures import (
    DeliveryFailure,
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)
from orchestration.errors import MetricpressError

COMMAND_SECONDS = 60.0
#: RFC 5321 lets a server think for ten minutes after the final dot; cutting it short makes outcomes unknown.
ANSWER_SECONDS = 600.0
#: Refusals at RCPT that say the mailbox is no more (RFC 3463). Not 5.1.0, 5.1.7 and 5.1.8, which servers give
#: for a sender they do not like, and not 5.7.x, 5.3.x and 5.2.2: policy, the server, a full mailbox.
GONE = re.compile(r"5\.(?:1\.(?:1|2|3|4|6|10)|2\.1)\b")
ENHANCED = re.compile(r"5\.\d{1,3}\.\d{1,3}\b")
#: Codes that mean the same where a server gives no enhanced ones, unless its words are about something else.
GONE_CODES = (550, 551, 553, 556)
NOT_THE_MAILBOX = re.compile(
    r"relay|denied|deny|prohibit|permi|allow|block|\w*list|spam|polic|auth|access|sender|hel[lo]o|\bips?\b|dns"
    r"|reputation|quota|full|size|large|tls|encrypt|command",
    re.IGNORECASE,
)
LONGEST_ANSWER = 300

Reply = tuple[int, bytes]

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
        composer: Composer,
        *,
        command_seconds: float = COMMAND_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.server = server
        self.composer = composer
        self._command_seconds = command_seconds
        self._answer_seconds = answer_seconds
        self._connection: smtplib.SMTP | None = None
        self._unreachable: TransientFailure | None = None
        #: The parcel that lacks its final dot, by its id, or why it could not come so far.
        self._prepared: tuple[str, DeliveryFailure | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_back()
        if self._connection is not None:
            try:
                self._connection.quit()
            except (smtplib.SMTPException, OSError):
                self._drop()
            self._connection = None

    def prepare(self, parcel: Parcel) -> None:
        """Hand over everything but the final dot, without which nothing is delivered (EarlyChannel)."""
        self._take_back()
        try:
            payload = self.composer.for_smtp(parcel)
            self._begun(parcel.recipient)
            self._text(self._told_of_text(parcel.recipient), payload)
        except DeliveryFailure as failure:
            self._prepared = parcel.delivery_id, failure
        else:
            self._prepared = parcel.delivery_id, None

    def send(self, parcel: Parcel) -> str:
        """Hand the message to the server; returns its answer."""
        if self._prepared is None or self._prepared[0] != parcel.delivery_id:
            self.prepare(parcel)
        assert self._prepared is not None
        failure, self._prepared = self._prepared[1], None
        if failure is not None:
            raise failure
        assert self._connection is not None
        return self._answer(self._connection)

    def _take_back(self) -> None:
        """Forget a parcel that was prepared and not sent: within its text only a hang-up ends it."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[1] is None:
            self._drop()

    def _begun(self, recipient: str) -> None:
        """Open an envelope to that recipient."""
        kept = self._connection is not None
        try:
            self._envelope(recipient)
        except _BrokenOff as failure:
            if not kept:
                raise
            # The server may have closed it while documents were rendered, or takes so many on one connection.
            logger.info("%s; connecting again", failure)
            self._envelope(recipient)

    def _told_of_text(self, recipient: str) -> smtplib.SMTP:
        """A connection that waits for the text of a message whose envelope is open."""
        try:
            return self._data()
        except _BrokenOff as failure:
            logger.info("%s; connecting again", failure)
            self._envelope(recipient)
            return self._data()

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

    def _envelope(self, recipient: str) -> None:
        connection = self._connected()
        sender = self.composer.envelope_sender
        replies: list[Reply] = []
        try:
            _converse(connection, (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"), replies)
        except (smtplib.SMTPException, OSError) as error:
            # Silence to RCPT may be about this recipient; to MAIL it is not.
            raise self._broken_off(error, is_about_all=not replies) from error
        mail, rcpt = replies
        if not _is_fine(mail):
            raise self._refusal(mail, "MAIL FROM", _BrokenOff if mail[0] == 421 else TransientFailure)
        if not _is_fine(rcpt):
            refusal = self._refusal(rcpt, f"RCPT TO {recipient}")
            if isinstance(refusal, PermanentFailure):
                refusal.recipient_gone = is_gone(rcpt[0], _decoded(rcpt[1]))
            raise refusal

    def _data(self) -> smtplib.SMTP:
        connection = self._connected()
        replies: list[Reply] = []
        try:
            _converse(connection, ("DATA",), replies)
        except (smtplib.SMTPException, OSError) as error:
            raise self._broken_off(error, is_about_all=True) from error
        (data,) = replies
        if data[0] != 354:
            raise self._refusal(data, "DATA", _BrokenOff if data[0] == 421 else TransientFailure)
        return connection

    def _broken_off(self, error: Exception, *, is_about_all: bool) -> TransientFailure:
        """A connection that ended may be made again at once; a server that is silent is not asked again."""
        self._drop()
        message = f"{self._place} broke off before the message: {_words(error)}"
        if not _timed_out(error):
            return _BrokenOff(message)
        silent = TransientFailure(message)
        if is_about_all:
            self._unreachable = silent
        return silent

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
            reply = _reply(connection)
            if reply[0] == 354:
                raise smtplib.SMTPException("it answered 354 again")
            connection.sock.settimeout(self._command_seconds)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            if _timed_out(error):
                # Else each of the batch would wait as long, and become unknown too.
                self._unreachable = TransientFailure(f"{self._place} gave no answer to the message before")
            raise UnknownOutcome(
                f"{self._place} gave no answer after the whole message: {_words(error)}"
            ) from error
        if not _is_fine(reply):
            raise self._refusal(reply, "the message")
        return f"{reply[0]} {_decoded(reply[1])}"

    def _refusal(
        self, reply: Reply, step: str, transient: type[TransientFailure] = TransientFailure
    ) -> DeliveryFailure:
        """What a refusal means; the connection stays usable for the next recipient, save after 421."""
        code, answer = reply
        message = f"{self._place} answered {code} {_decoded(answer)} to {step}"
        if code == 421 or code < 400 or not self._reset():
            self._drop()
        return PermanentFailure(message) if code >= 500 else transient(message)

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


def is_gone(code: int, text: str) -> bool:
    """Whether this refusal of a recipient says that its mailbox is no more, and nothing else."""
    if ENHANCED.match(text):
        return GONE.match(text) is not None
    return code in GONE_CODES and NOT_THE_MAILBOX.search(text) is None


def _converse(connection: smtplib.SMTP, commands: Sequence[str], replies: list[Reply]) -> None:
    """Say commands and add a reply to each; after a refusal the rest counts as refused alike.

    In one go where the server takes them so (RFC 2920), which spares a journey for each but the last.
    """
    pipelining = connection.has_extn("pipelining")
    if pipelining:
        connection.send("".join(f"{command}\r\n" for command in commands).encode("ascii"))
    for command in commands:
        refused = bool(replies) and replies[-1][0] >= 400
        if refused and (not pipelining or replies[-1][0] == 421):
            replies.append(replies[-1])
            continue
        if not pipelining:
            connection.send(f"{command}\r\n".encode("ascii"))
        replies.append(_reply(connection))


def _reply(connection: smtplib.SMTP) -> Reply:
    """The server's next reply. SMTPException when it is none, for nobody knows what it answers then."""
    code, answer = connection.getreply()
    if not (200 <= code < 300 or code == 354 or 400 <= code < 600):
        raise smtplib.SMTPException(f"it answered something that is not SMTP: {_decoded(answer)}")
    return code, answer


def _is_fine(reply: Reply) -> bool:
    return 200 <= reply[0] < 300


def _timed_out(error: Exception) -> bool:
    """Whether the server was silent; smtplib tells of it as of a closed connection."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _decoded(answer: bytes) -> str:
    """An answer as one line that a terminal, a log and the ledger can hold."""
    text = answer.decode("utf-8", "replace")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line[:LONGEST_ANSWER]


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        return f"{error.smtp_code} {_decoded(answer if isinstance(answer, bytes) else answer.encode())}"
    return " ".join(str(error).split()) or type(error).__name__
