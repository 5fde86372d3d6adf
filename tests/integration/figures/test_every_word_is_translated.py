"""Reports in a language of Greek letters: a word in Latin letters is a text that no catalogue was asked for.

All shipped reports in every frequency, on built marts, as page, mail, text of a mail, Slack message and
workbook. Beside numbers only data may be Latin (names of tenants, branches, people, plans, sources, events),
and units that CLDR writes so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from orchestration.reports import ReportRequest, render
from orchestration.reports.templates import available, report_type
from orchestration.warehouse.connection import connect
from scripts.texts import used_texts
from tests import pseudo_locale
from tests.integration.figures.conftest import Business

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
Connection = psycopg.Connection[Any]

#: Units that CLDR has in Latin letters in Greek too, codes of currencies, names of formats, a command, and an
#: abbreviation that is the same in every language.
KNOWN = frozenset(
    ("min", "ms", "byte", "kB", "MB", "GB", "EUR", "JP", "USD", "GBP", "UTC", "XLSX", "CSV", "JSON", "Slack",
     "Webhook", "metricpress", "deliveries", "list", "MRR")
)  # fmt: skip
#: Columns of marts whose values are names that belong to the tenant.
NAMES = (
    ("tenants", "name"), ("tenants", "timezone"), ("branches", "name"), ("branches", "timezone"),
    ("staff", "name"), ("lead_funnel", "source"), ("revenue_by_plan", "plan"),
    ("mrr_movements", "customer_id"),
)  # fmt: skip
CASES = [
    pytest.param(name, frequency, id=f"{name}-{frequency}")
    for name in available()
    for report in (report_type(name, None),)
    for frequency in (*report.frequencies, *(("range",) if report.ranges else ()))
]
USAGE = """
    insert into marts.report_usage (tenant_id, template, metric_date, reports, deliveries, deliveries_sent,
        deliveries_failed, deliveries_unknown, deliveries_held, deliveries_skipped, deliveries_waiting,
        deliveries_email, email_sent, deliveries_slack, slack_sent, deliveries_webhook, webhook_sent,
        deliveries_file, file_sent, notices_sent, late_sent, recipients, recipients_reached, attempts,
        renderings, render_seconds, send_seconds, seconds_to_deliver, bytes_sent, ledger_checksum)
    select tenant_id, 'executive', day, 1, 7, 4, 1, 1, 1, 0, 0, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7, 4, 9,
        1, 1, 1, 90, 9e6, 1
    from marts.tenants, generate_series(date '2025-02-03', date '2025-03-30', interval '3 days') as day
"""


@pytest.fixture(scope="module")
def marts(business: Business) -> Iterator[Connection]:
    """The built marts, with deliveries to tell of; taken back at the end."""
    with connect(business.settings) as connection:
        connection.execute(USAGE)
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def names(marts: Connection) -> frozenset[str]:
    found = set[str]()
    for table, column in NAMES:
        for (value,) in marts.execute(f"select distinct {column} from marts.{table}"):
            found.update(re.findall("[A-Za-z]{2,}", value or ""))
    return frozenset(found)


@pytest.fixture(scope="module")
def marked() -> frozenset[str]:
    """Texts that the sources mark as such, and for which every language is held to have a translation."""
    return frozenset(text for one in used_texts() for text in (one.text.message, one.text.plural))


def period_of(frequency: str, week_start: str) -> tuple[date, date]:
    if frequency == "weekly":
        first = date(2025, 3, 10) if week_start == "monday" else date(2025, 3, 9)
        return first, first + timedelta(days=6)
    return {
        "daily": (date(2025, 3, 12), date(2025, 3, 12)),
        "monthly": (date(2025, 2, 1), date(2025, 2, 28)),
        "range": (date(2025, 2, 20), date(2025, 3, 27)),
    }[frequency]


@pytest.mark.parametrize(("name", "frequency"), CASES)
def test_every_word(
    business: Business,
    marts: Connection,
    names: frozenset[str],
    marked: frozenset[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    frequency: str,
) -> None:
    pseudo_locale.speak_greek(monkeypatch)
    pseudo_locale.asked.clear()
    found = list[str]()
    for tenant in business.tenants:
        full = period_of(frequency, business.clocks[tenant].week_start)
        year_ago = (date(2024, 2, 1), date(2024, 2, 29)) if frequency == "monthly" else (
            full[0] - timedelta(days=364), full[1] - timedelta(days=364))  # fmt: skip
        for days in (full, year_ago):  # a year ago nothing was recorded
            asked = ReportRequest(tenant, name, frequency, *days, locale="el")  # type: ignore[arg-type]
            report = render(marts, asked, ("html", "xlsx"))
            for part, text in pseudo_locale.parts(report):
                words = pseudo_locale.latin_words(" ".join(text.split()), names | KNOWN)
                found += [f"{part}: {word}" for word in words]
    assert not found, "\n".join(["", *dict.fromkeys(found)])
    assert pseudo_locale.asked <= marked, "looked up, and marked nowhere as a text"
