"""One POST to a host that a subscription names: the address checked first, then connected to as checked.

Belongs here: which addresses may be reached, the connection pinned to a checked one, the limits on time and
answer. Does not: what is sent and what an answer means (webhook.py).
No proxy is used and no redirect followed: either would reach an address that was not checked.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from orchestration.errors import MetricpressError

CONNECT_SECONDS = 10.0
#: From connecting to the last byte of the answer, also where it comes in drops.
TOTAL_SECONDS = 30.0
#: Of an answer only what explains a refusal is read.
ANSWER_BYTES = 2_000
LONGEST_URL = 2_000
PRIVATE_HOSTS = "METRICPRESS_WEBHOOK_PRIVATE_HOSTS"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Through these a gateway reaches the IPv4 address in the last four bytes (RFC 6052), or local ones (8215).
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_TRANSLATED_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_USUAL_PORTS = {"http": 80, "https": 443}
_BROKEN = (OSError, http.client.HTTPException)


class NotSent(Exception):
    """The request did not go out as a whole: the receiver cannot have taken it."""


class NoAnswer(Exception):
    """The whole request went out and no status came back."""


class Forbidden(Exception):
    """The host has an address that may not be reached."""


@dataclass(frozen=True)
class Answer:
    """Status, headers and the beginning of the body."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass(frozen=True)
class PrivateHosts:
    """What METRICPRESS_WEBHOOK_PRIVATE_HOSTS lets through: names whatever they resolve to, and networks."""

    names: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @classmethod
    def of(cls, entries: Sequence[str]) -> Self:
        """Read the entries; raises MetricpressError naming the one that is neither host nor network."""
        names, networks = set(), []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                if "/" in entry or ":" in entry:
                    raise MetricpressError(
                        f"{PRIVATE_HOSTS}: {entry!r} is neither a host nor a network",
                        remedy="Write hooks.internal.example, 10.1.2.3 or 10.1.0.0/16, without a port.",
                    ) from None
                names.add(entry.lower())
        return cls(frozenset(names), tuple(networks))

    def allow(self, host: str, address: Address) -> bool:
        """Whether that host may be reached at that address."""
        return host in self.names or is_public(address) or any(address in one for one in self.networks)

    def may_be_private(self, host: str) -> bool:
        """Whether the host is named, itself or by its network, so that it may also go without TLS."""
        if host in self.names:
            return True
        try:
            return any(ipaddress.ip_address(host) in one for one in self.networks)
        except ValueError:
            return False


@dataclass(frozen=True)
class Target:
    """A URL taken apart once: what is checked is what is used. `host` carries no brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str, private: PrivateHosts) -> Self:
        """Raises MetricpressError, which names the host alone: a path may be a secret."""
        parts = _parts(url)
        assert parts.host is not None
        host = parts.host.strip("[]").rstrip(".").lower()
        port = parts.port if parts.port is not None else _USUAL_PORTS[parts.scheme or "https"]
        if parts.auth is not None:
            raise MetricpressError(
                f"the webhook's URL at {host} holds a name or password",
                remedy="Leave it out: webhooks are signed, and URLs stand in the ledger.",
            )
        if not private.may_be_private(host):
            remedy = f"To allow it, add {host} to {PRIVATE_HOSTS}."
            if parts.scheme == "http":
                raise MetricpressError(f"a webhook to {host} needs https", remedy=f"Use https. {remedy}")
            if not _may_be_public(host):
                raise MetricpressError(f"{host} is no public host", remedy=remedy)
        return cls(parts.scheme or "https", host, port, parts.request_uri)

    @property
    def place(self) -> str:
        """Host and port, as errors name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _parts(url: str) -> Url:
    """The parts of a usable URL: one reading for the check and the connection."""
    refused = MetricpressError(
        "this is not a webhook's URL", remedy="Write https://host/path, without blanks."
    )
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>#'):
        raise refused
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise refused from None
    if parts.scheme not in _USUAL_PORTS or not (parts.host or "").strip("[].") or "%" in (parts.host or ""):
        raise refused
    if parts.port is not None and not 1 <= parts.port <= 65_535:
        raise refused
    return parts


def _may_be_public(host: str) -> bool:
    """Whether nothing in the host itself says otherwise; its addresses are checked before it is reached."""
    try:
        return is_public(ipaddress.ip_address(host))
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal"))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public Internet, also the one inside a translated IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address in _TRANSLATED_LOCAL:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def addresses(target: Target, private: PrivateHosts) -> list[str]:
    """The addresses of the host, looked up once. Raises NotSent, or Forbidden for one that is not allowed."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"the host was not found: {error}") from error
    unique = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in unique:
        if not private.allow(target.host, ipaddress.ip_address(text)):
            raise Forbidden(f"{target.host} has the address {text}, which is not public")
    return unique


def post(
    target: Target, private: PrivateHosts, body: bytes, headers: Mapping[str, str], tls: ssl.SSLContext
) -> Answer:
    """Send one request. Raises NotSent, NoAnswer or Forbidden."""
    failure = NotSent("the host has no address")
    for address in addresses(target, private):
        connection = _Pinned(target, address, tls)
        try:
            connection.connect()
        except _BROKEN as error:
            failure = NotSent(_words(error))
        else:
            return _exchange(connection, target, body, headers)
        finally:
            connection.end()
    raise failure


class _Pinned(http.client.HTTPConnection):
    """A connection to the checked address; Host, SNI and certificate are those of the name.

    It ends TOTAL_SECONDS after it was made: a time-out of the socket counts anew with each byte.
    """

    def __init__(self, target: Target, address: str, tls: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=CONNECT_SECONDS)
        self.default_port = _USUAL_PORTS[target.scheme]
        self.is_over = False
        self._tls = tls if target.scheme == "https" else None
        self._address = address
        self._timer = threading.Timer(TOTAL_SECONDS, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def connect(self) -> None:
        """Connect to the address, not to what the name resolves to now."""
        self.sock = socket.create_connection((self._address, self.port), CONNECT_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
        self.sock.settimeout(TOTAL_SECONDS)

    def end(self) -> None:
        """Close, and stop the clock."""
        self._timer.cancel()
        self.close()

    def _cut(self) -> None:
        self.is_over = True
        if self.sock is not None:
            with suppress(OSError):
                # Of the plain socket: an SSLSocket's own shutdown would take its TLS away under the reader.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def _exchange(connection: _Pinned, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
    unsent: Exception | None = None
    try:
        connection.request("POST", target.path, body, dict(headers))
    except (BrokenPipeError, ConnectionResetError) as error:
        # A receiver that refuses a large body may answer before it has read all of it.
        unsent = error
    except _BROKEN as error:
        raise NotSent(f"broke off within the request: {_words(error)}") from error
    try:
        response = connection.getresponse()
    except _BROKEN as error:
        if unsent is not None:
            raise NotSent(f"broke off within the request: {_words(unsent)}") from unsent
        raise NoAnswer(_words(error)) from error
    if connection.is_over:
        raise NoAnswer(f"its answer was not there after {TOTAL_SECONDS:.0f} seconds")
    content = b""
    with suppress(*_BROKEN):  # the status has been given, whatever becomes of the body
        content = response.read(ANSWER_BYTES)
    words = "".join(letter if letter.isprintable() else " " for letter in content.decode("utf-8", "replace"))
    return Answer(response.status, response.headers, " ".join(words.split())[:200])


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
