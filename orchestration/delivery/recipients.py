"""Recipients: what each delivery method takes as one, checked before it is stored.

Belongs here: the form of a mail address, and whose domains a tenant allows. Does not: the form of other
recipients (the channel that reaches them) and recipients who want nothing more (suppressions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.delivery.channels import check_recipient
from orchestration.delivery.channels.message import is_address
from orchestration.errors import MetricpressError


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
        if method == "email":
            check_email(recipient, limits)
        else:
            check_recipient(method, recipient, limits.private_hosts)
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


def domain_allowed(recipient: str, allowed_domains: Sequence[str] | None) -> bool:
    """Whether the tenant lets mail go to that address; None allows every domain."""
    if allowed_domains is None:
        return True
    return recipient.rpartition("@")[2].lower() in {domain.lower() for domain in allowed_domains}


def check_address(text: str) -> None:
    """Refuse what is not a plain mail address."""
    if not is_address(text):
        raise MetricpressError(
            f"{text!r} is not a mail address",
            remedy="Write name@example.com; a domain beyond ASCII is written as xn--...",
        )
