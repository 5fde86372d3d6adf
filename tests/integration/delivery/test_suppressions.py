"""Suppressions: who is left out of what, and that the audit log tells of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.delivery import suppressions
from orchestration.delivery.service import dispatch
from orchestration.warehouse.tenants import remove_tenant

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_recipient_is_suppressed_once_whatever_its_case(warehouse) -> None:
    warehouse.add_tenant("gym")
    assert suppressions.suppress(warehouse.conn, "gym", "CEO@gym.example", "left", "command")
    assert not suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "no mailbox", "bounce")
    (only,) = suppressions.listed(warehouse.conn, "gym")
    assert (only.recipient, only.reason, only.source) == ("ceo@gym.example", "left", "command")
    assert suppressions.listed(warehouse.conn, "other") == []


def test_one_subscription_is_left_out_and_the_other_goes_on(warehouse) -> None:
    warehouse.add_tenant("gym")
    first = warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example", name="first")
    warehouse.subscribe("gym", "ceo@gym.example", name="second")
    suppressions.suppress(
        warehouse.conn, "gym", "ceo@gym.example", "asked", "unsubscribe", first.subscription_id
    )
    result = dispatch(warehouse.settings, NOON)
    assert {(one.subscription, one.recipient, one.delivery_status) for one in result.outcomes} == {
        ("first", "ceo@gym.example", "skipped"),
        ("first", "cfo@gym.example", "sent"),
        ("second", "ceo@gym.example", "sent"),
    }


def test_lifting_one_subscription_leaves_the_ban_of_the_tenant(warehouse) -> None:
    warehouse.add_tenant("gym")
    own = warehouse.subscribe("gym", "ceo@gym.example").subscription_id
    for subscription in (own, None):
        suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "asked", "command", subscription)
    (lifted,) = suppressions.lift(warehouse.conn, "gym", "CEO@gym.example", own)
    assert lifted.subscription == "daily executive"
    assert [one.subscription_id for one in suppressions.listed(warehouse.conn)] == [None]
    suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "asked", "command", own)
    assert len(suppressions.lift(warehouse.conn, "gym", "ceo@gym.example")) == 2
    assert suppressions.lift(warehouse.conn, "gym", "ceo@gym.example") == []


def test_the_audit_log_tells_of_every_change(warehouse) -> None:
    warehouse.add_tenant("gym")
    suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "no mailbox", "bounce")
    suppressions.lift(warehouse.conn, "gym", "ceo@gym.example")
    told = warehouse.rows(
        "select tenant_id, action, object, coalesce(after, before) ->> 'source' as source "
        "from reporting.audit_log where object_type = 'suppressions' order by audit_id"
    )
    assert [row["action"] for row in told] == ["insert", "delete"]
    assert {(row["tenant_id"], row["object"], row["source"]) for row in told} == {
        ("gym", "ceo@gym.example", "bounce")
    }


def test_a_tenant_goes_with_its_suppressions(warehouse, database) -> None:
    warehouse.add_tenant("gym")
    own = warehouse.subscribe("gym", "ceo@gym.example").subscription_id
    suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "asked", "unsubscribe", own)
    assert remove_tenant(database, "gym")["reporting.suppressions"] == 1
