"""Thousands of reports due at the same minute: planned once, out once, by two dispatchers."""

from __future__ import annotations

import time

import pytest

from tests.integration.delivery.faults.conftest import Post

pytestmark = pytest.mark.integration


def promise_thousands(post: Post, count: int) -> None:
    """`count` subscriptions of one recipient each, of 20 tenants, due at nine."""
    for number in range(20):
        post.warehouse.add_tenant(f"t{number}")
    post.warehouse.conn.execute(
        """
        insert into reporting.report_subscriptions
            (tenant_id, name, report, frequency, recipients, starts_on)
        select 't' || n %% 20, 'n' || n, 'executive', 'daily', array['r' || n || '@x.example'], '2026-11-20'
        from generate_series(1, %s) as n
        """,
        (count,),
    )


def all_out(post: Post, count: int) -> None:
    promise_thousands(post, count)
    started = time.perf_counter()
    told = [dispatcher.end(3000) for dispatcher in [post.start(), post.start()]]
    seconds = time.perf_counter() - started
    print(f"\n{count} due at nine: out in {seconds:.1f} s, {count / seconds:.0f} a second, two dispatchers")
    assert sum(one["planned"] for one in told) == count
    assert len(post.server.received()) == count
    post.reconcile()


def test_hundreds_due_at_nine(post) -> None:
    all_out(post, 500)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_due_at_nine(post) -> None:
    all_out(post, 10_000)
