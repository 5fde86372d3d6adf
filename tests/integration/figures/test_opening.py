"""The opening sentences of executive reports on built marts: each number stands where its source says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import psycopg
import pytest

from orchestration.reports.document import Document
from orchestration.reports.insights.opening import MOST_SENTENCES
from orchestration.reports.periods import newest_whole_period
from orchestration.reports.request import Frequency, ReportRequest
from orchestration.reports.service import build_document
from orchestration.reports.templates import report_type
from tests.integration.figures.conftest import Business
from tests.tracing import insights_of, trace

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
#: Reports back from the newest one.
BACK = {"daily": 40, "weekly": 8, "monthly": 2}

Reader = psycopg.Connection[Any]


def executive(reader: Reader, tenant: str, frequency: str, first: Any, last: Any, **more: Any) -> Document:
    request = ReportRequest(tenant, "executive", cast(Frequency, frequency), first, last, **more)
    return build_document(reader, request, report_type("executive", None))


def letters(business: Business, reader: Reader) -> Iterator[Document]:
    for tenant, clock in business.clocks.items():
        for frequency, count in BACK.items():
            end = clock.complete_date
            for _ in range(count):
                first, last = newest_whole_period(frequency, end, clock.week_start)
                yield executive(reader, tenant, frequency, first, last)
                end = first - timedelta(days=1)


def test_every_number_is_found_by_its_source(business: Business, reader: Reader) -> None:
    rules: Counter[str] = Counter()
    for document in letters(business, reader):
        assert trace(reader, document.figures()) > 20 or document.empty
        insights = insights_of(document)
        assert len(insights) <= MOST_SENTENCES
        rules.update(insight.rule for insight in insights)
    assert len(rules) >= 2, rules


class Counting(psycopg.Cursor[Any]):
    """A cursor that counts what it executes."""

    executed = 0

    def execute(self, *arguments: Any, **options: Any) -> Counting:
        Counting.executed += 1
        return super().execute(*arguments, **options)


def test_a_report_takes_as_many_queries_for_three_figures_as_for_all(
    business: Business, reader: Reader
) -> None:  # fmt: skip
    """What moved by dimension is one more, asked for when something moved."""
    reader.cursor_factory = Counting
    counts = set()
    for tenant in business.tenants:
        day = business.clocks[tenant].complete_date
        for sections in ({}, {"sections": ["calls"]}, {"sections": ["leads", "revenue"]}):
            Counting.executed = 0
            executive(reader, tenant, "daily", day, day, parameters=sections)
            counts.add(Counting.executed)
    assert max(counts) - min(counts) <= 1
    assert max(counts) <= 12
