"""Which failures are worth another attempt, and how often.

Belongs here: the retry policy of steps and the judgement of an error. Does not belong here: retries of single
deliveries, which the delivery ledger counts (orchestration/delivery).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from orchestration.errors import MetricpressError

#: 10, 20, 40 seconds: long enough for a server that restarts, short enough for the five-minute refresh.
TRANSIENT_RETRIES = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL)

#: What PostgreSQL and libpq say when the same statement may well succeed a moment later.
_TRANSIENT_TEXT = re.compile(
    r"could not connect|connection refused|connection reset|connection timed out|server closed the connection"
    r"|terminating connection|the database system is (starting up|shutting down|in recovery mode)"
    r"|too many clients|remaining connection slots|deadlock detected|could not serialize access"
    r"|lock timeout|cannot reach the database",
    re.IGNORECASE,
)
_TRANSIENT_ERRORS = (psycopg.OperationalError, ConnectionError, TimeoutError)


def is_transient(error: BaseException) -> bool:
    """Whether `error`, or one it came from, is of the kind that passes by itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _TRANSIENT_ERRORS) or _TRANSIENT_TEXT.search(_text(seen)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def retrying_only_transient() -> Iterator[None]:
    """Turn an error that another attempt cannot mend into a failure that the retry policy leaves alone."""
    try:
        yield
    except dg.RetryRequested:
        raise
    except Exception as error:  # dbt's own errors are a kind of dg.Failure too
        if is_transient(error):
            raise
        raise dg.Failure(description=explain(error), allow_retries=False) from error


def explain(error: BaseException) -> str:
    """One clear text: what happened and, where known, what to do about it."""
    remedy = error.remedy if isinstance(error, MetricpressError) else ""
    return f"{_text(error) or type(error).__name__}\n{remedy}".strip()


def _text(error: BaseException) -> str:
    """What the error says; dagster keeps a failure's text apart from its arguments."""
    return str(error.description or "") if isinstance(error, dg.Failure) else str(error)
