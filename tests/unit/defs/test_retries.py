"""What is tried again, and what is left for a person."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from orchestration.defs.retries import is_transient, retrying_only_transient
from orchestration.errors import MetricpressError


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        MetricpressError("model daily_metrics failed: Database Error\n  deadlock detected"),
        MetricpressError("cannot reach the database at 127.0.0.1:5432/x: Connection refused"),
        dg.Failure(description="dbt failed: FATAL: the database system is starting up"),
    ],
)
def test_errors_that_pass_by_themselves(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UndefinedTable('relation "raw.sessions" does not exist'),
        MetricpressError("model daily_metrics failed: division by zero"),
        dg.Failure(description="permission denied for database x"),
        ValueError("not a date"),
    ],
)
def test_errors_that_stay(error: Exception) -> None:
    assert not is_transient(error)


def test_the_cause_of_an_error_counts() -> None:
    with pytest.raises(MetricpressError) as caught:
        try:
            raise psycopg.OperationalError("timeout expired")
        except psycopg.OperationalError as error:
            raise MetricpressError("no connection") from error
    assert is_transient(caught.value)


def test_a_lasting_error_is_not_tried_again_and_keeps_its_remedy() -> None:
    with pytest.raises(dg.Failure) as caught, retrying_only_transient():
        raise MetricpressError("there is no tenant 'x'", remedy="See: metricpress tenants list")
    assert caught.value.allow_retries is False
    assert caught.value.description == "there is no tenant 'x'\nSee: metricpress tenants list"


def test_dbts_own_failure_is_not_tried_again_either() -> None:
    """dagster-dbt's error is a dg.Failure that allows retries: a typo in a model was built four times."""
    with pytest.raises(dg.Failure) as caught, retrying_only_transient():
        raise dg.Failure(description="Compilation Error in model x")
    assert caught.value.allow_retries is False


def test_a_passing_error_is_left_to_the_retry_policy() -> None:
    with pytest.raises(psycopg.OperationalError), retrying_only_transient():
        raise psycopg.OperationalError("connection reset by peer")
