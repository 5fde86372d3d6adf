"""Recipients: what each delivery method takes as one, checked before it is stored.

Belongs here: the form of an address, a Slack channel, a webhook's URL, a folder. Does not: reaching them
(channels), which look again at where a name leads, and recipients who want nothing more (suppressions).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from orchestration.errors import MetricpressError

#: Public channel, private group or direct message, as Slack writes their ids.
SLACK_ID = re.compile(r"[CGDU][A-Z0-9]{8,20}")
#: Slack's rule for the name of a channel.
SLACK_CHANNEL = re.compile(r"#[^\s,.#@A-Z]{1,80}")
#: The name of an incoming webhook, as in SLACK_WEBHOOK_<NAME>.
SLACK_WEBHOOK = re.compile(r"[a-z][a-z0-9_]{0,60}")
LONGEST_URL = 2000


@dataclass(frozen=True)
class Limits:
    """The tenant's mail domains (None: every), and the private hosts that webhooks may reach."""

    tenant_id: str
    allowed_domains: Sequence[str] | None = None
    private_hosts: Sequence[str] = ()


def check_recipients(method: str, recipients: Sequence[str], limits: Limits) -> tuple[str, ...]:
    """The recipients without blanks and repeats; raises MetricpressError naming the first that is wrong."""
    wanted = tuple(dict.fromkeys(text.strip() for text in recipients if text.strip()))
    if not wanted:
        raise MetricpressError("a subscription needs a recipient", remedy="Give --to, once for each.")
    for recipient in wanted:
        METHODS[method](recipient, limits)
    return wanted


def check_email(recipient: str, limits: Limits) -> None:
    """A mail address of a domain the tenant allows."""
    check_address(recipient)
    if not domain_allowed(recipient, limits.allowed_domains):
        raise MetricpressError(
            f"{recipient}: tenant {limits.tenant_id} allows mail to "
            f"{', '.join(limits.allowed_domains or ())} only",
            remedy="Use another address, or change its setting allowed_recipient_domains.",
        )


def check_slack(recipient: str, limits: Limits) -> None:
    """A channel (#name or id), or the name of an incoming webhook."""
    if not any(form.fullmatch(recipient) for form in (SLACK_ID, SLACK_CHANNEL, SLACK_WEBHOOK)):
        raise MetricpressError(
            f"{recipient!r} is neither a Slack channel nor the name of an incoming webhook",
            remedy="Write #channel, its id (C0123456789), or name for the webhook in SLACK_WEBHOOK_NAME; "
            "never the webhook's URL, which is a secret.",
        )


def check_webhook(recipient: str, limits: Limits) -> None:
    """An https URL of a public host; http and private hosts if METRICPRESS_WEBHOOK_PRIVATE_HOSTS has them."""
    try:
        url = urlsplit(recipient)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if host is None or url.scheme not in ("https", "http") or len(recipient) > LONGEST_URL:
        raise MetricpressError(
            f"{recipient!r} is not a webhook's URL", remedy="Write https://host/path, without blanks."
        )
    if any(letter.isspace() or not letter.isprintable() for letter in recipient) or url.fragment:
        raise MetricpressError(f"{recipient!r} holds blanks or a #fragment", remedy="Leave them out.")
    if url.username is not None or url.password is not None:
        raise MetricpressError(
            f"the webhook's URL at {host} holds a name or password",
            remedy="Leave it out: webhooks are signed, and URLs stand in the ledger.",
        )
    if _is_listed(host, limits.private_hosts):
        return
    remedy = f"To allow it, add {host} to METRICPRESS_WEBHOOK_PRIVATE_HOSTS."
    if url.scheme == "http":
        raise MetricpressError(f"{recipient}: a webhook needs https", remedy=f"Use https. {remedy}")
    if _is_private(host):
        raise MetricpressError(f"{recipient}: {host} is no public host", remedy=remedy)


def check_folder(recipient: str, limits: Limits) -> None:
    """A folder: an absolute path, or one below the outbox."""
    if "\0" in recipient or ".." in recipient.replace("\\", "/").split("/"):
        raise MetricpressError(
            f"{recipient!r} is not a folder", remedy="Write a path without .., absolute or below the outbox."
        )


METHODS: dict[str, Callable[[str, Limits], None]] = {
    "email": check_email,
    "slack": check_slack,
    "webhook": check_webhook,
    "file": check_folder,
}


def domain_allowed(recipient: str, allowed_domains: Sequence[str] | None) -> bool:
    """Whether the tenant lets mail go to that address; None allows every domain."""
    if allowed_domains is None:
        return True
    return recipient.rpartition("@")[2].lower() in {domain.lower() for domain in allowed_domains}


def check_address(text: str) -> None:
    """Refuse what is not a plain mail address."""
    try:
        address = Address(addr_spec=text)
        labels = address.domain.encode("idna").decode().split(".")
        usable = text.isascii() and len(text) <= 254 and bool(address.username) and all(labels)
    except (HeaderParseError, ValueError, IndexError):
        usable = False
    if not usable or any(letter.isspace() for letter in text):
        raise MetricpressError(f"{text!r} is not a mail address", remedy="Write name@example.com.")


def _is_listed(host: str, private_hosts: Sequence[str]) -> bool:
    """Whether the host is named in the list, or its address lies in one of the list's networks."""
    for listed in private_hosts:
        if host == listed.lower():
            return True
        try:
            if ip_address(host) in ip_network(listed, strict=False):
                return True
        except ValueError:  # one of the two is a name
            continue
    return False


def _is_private(host: str) -> bool:
    """Whether the host is an address nobody reaches from outside, or a name without a domain."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host.rstrip(".") or host.endswith((".localhost", ".local", ".internal"))
