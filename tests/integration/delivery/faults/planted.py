"""Bugs of the kind this package exists to find, built into a dispatcher on demand.

Belongs here: changes to a dispatcher's code in its own process. Does not: which scenario finds which
(test_planted). Each is what a hurried change could bring: a state that is forgotten, an outcome taken for
another, a claim that claims nothing.
"""

from __future__ import annotations

import psycopg

from orchestration.delivery.channels.smtp import SmtpChannel
from orchestration.delivery.failures import (
    DeliveryFailure,
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)
from orchestration.errors import MetricpressError


def plant(name: str) -> None:
    """Build that bug into this process. Raises MetricpressError for an unknown name."""
    if name in STATEMENTS:
        _rewrite(*STATEMENTS[name])
    elif name in OUTCOMES:
        _take_for(*OUTCOMES[name])
    else:
        raise MetricpressError(f"no bug is named {name!r}")


#: Name -> text in the dispatcher's SQL, and what stands there instead.
STATEMENTS = {
    "recovery sends again": ("else 'unknown'", "else 'ready'"),
    "claim claims nothing": ("delivery_status = 'sending', attempts", "delivery_status = 'ready', attempts"),
}  # fmt: skip
#: Name -> what a channel raises, and what the dispatcher takes it for (None: for sent).
OUTCOMES: dict[str, tuple[type[DeliveryFailure], type[DeliveryFailure] | None]] = {
    "no answer is taken for no": (UnknownOutcome, TransientFailure),
    "no answer is taken for sent": (UnknownOutcome, None),
    "not now is taken for never": (TransientFailure, PermanentFailure),
    "not now is taken for sent": (TransientFailure, None),
}


def _rewrite(wanted: str, instead: str) -> None:
    """Change that text in every statement this process sends to the database."""
    execute = psycopg.Cursor.execute

    def changed(self, query, params=None, **more):  # type: ignore[no-untyped-def]
        return execute(
            self, query.replace(wanted, instead) if isinstance(query, str) else query, params, **more
        )

    psycopg.Cursor.execute = changed  # type: ignore[method-assign]


def _take_for(raised: type[DeliveryFailure], taken: type[DeliveryFailure] | None) -> None:
    send = SmtpChannel.send

    def changed(self, parcel):  # type: ignore[no-untyped-def]
        try:
            return send(self, parcel)
        except raised as failure:
            if taken is None:
                return str(failure)
            raise taken(str(failure)) from failure

    SmtpChannel.send = changed  # type: ignore[method-assign]
