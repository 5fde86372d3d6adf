"""Words for what rules of data quality find, and which data count as late."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.reports.data.common import Tenant
from orchestration.reports.data.operations import Build, Problem, TableState
from orchestration.reports.documents.data_words import KNOWN_KINDS, problem_words, severity_word, table_word
from orchestration.reports.documents.freshness import Freshness
from orchestration.reports.formatting import Formatter

DBT = Path(__file__).resolve().parents[3] / "dbt_project"
ENGLISH, GERMAN = Formatter.of("en"), Formatter.of("de")
AS_OF = datetime(2025, 4, 1, 9, tzinfo=UTC)
TENANT = Tenant("t", "Tenant", None, "Asia/Tokyo", "JPY", "monday", AS_OF, date(2025, 3, 31))


def kinds_of_the_marts() -> set[str]:
    """Kinds of rules, read from the SQL and macros that make marts.data_problems."""
    model = (DBT / "models/marts/platform/data_problems.sql").read_text()
    macros = "".join(path.read_text() for path in sorted((DBT / "macros").rglob("*.sql")))
    kinds = set(re.findall(r"\{kind: (\w+),", macros))
    kinds |= set(re.findall(r"found\(\s*'(\w+)',", model)) | set(re.findall(r"'(\w+)' as kind", model))
    listed = model[: model.index("strangers = [")]
    kinds |= set(re.findall(r"\('int_\w+', '(\w+)'", listed))
    kinds |= set(re.findall(r"^\s+\('([a-z_]+)', '[a-z_]+', (?:true|false)", listed, re.MULTILINE))
    return kinds | {f"{they}_of_unknown_{who}" for they in ("call", "lead") for who in ("branch", "staff")}


def test_every_rule_of_the_marts_has_words() -> None:
    assert kinds_of_the_marts() == KNOWN_KINDS
    assert len(KNOWN_KINDS) > 35


def problem(kind: str, table: str = "raw.calls", key: str = "c1") -> Problem:
    return Problem(kind, table, key, "warning", "Calls that are odd: 3, the first is c1", 3, 0)


def test_known_problems_are_translated_and_others_say_what_the_mart_says() -> None:
    assert problem_words(problem("call_longer_than_a_day"), ENGLISH) == "Calls: longer than a day"
    assert problem_words(problem("call_longer_than_a_day"), GERMAN) == "Anrufe: länger als ein Tag"
    assert problem_words(problem("new_rule"), GERMAN) == "Calls that are odd: 3, the first is c1"
    rate = problem("missing_exchange_rate", "raw.exchange_rates", "SEK 2025-03-01")
    assert problem_words(rate, GERMAN) == "Wechselkurse: fehlend (SEK 2025-03-01)"
    assert [table_word(name, GERMAN) for name in ("raw.staff", "raw.of_tomorrow")] == ["Team", "of_tomorrow"]
    assert [severity_word(name, GERMAN) for name in ("error", "grave")] == ["Fehler", "grave"]


@pytest.mark.parametrize(
    ("table", "hours", "late"),
    [
        ("raw.jobs", 72, False),
        ("raw.jobs", 72.1, True),
        ("raw.leads", 200, True),
        # Customers come when they come.
        ("raw.customers", 200, False),
        ("raw.parties", None, False),
    ],
)
def test_data_that_fill_by_themselves_are_late_after_three_days(
    table: str, hours: float | None, late: bool
) -> None:
    newest = None if hours is None else AS_OF - timedelta(hours=hours)
    state = TableState(table, 10, 0, newest)
    fresh = Freshness(TENANT, ENGLISH, [state], [], Build(None, None))
    assert fresh.is_late(state) is late
    assert bool(fresh.late_words()) is late
    section = fresh.section()
    assert section is not None
    assert (section.lead == "All data that should come by itself is on time.") is not late


def test_a_moment_is_told_in_the_tenants_time() -> None:
    state = TableState("raw.jobs", 10, 0, datetime(2025, 3, 31, 22, 30, tzinfo=UTC))
    section = Freshness(TENANT, ENGLISH, [state], [], Build(AS_OF, None)).section()
    assert section is not None
    (table,) = section.blocks
    assert "April 1, 2025, 7:30\u00a0AM" in table.rows[0].cells[2]  # type: ignore[union-attr]
    assert "April 1, 2025, 6:00\u00a0PM" in table.note  # type: ignore[union-attr]


def test_without_rows_and_problems_there_is_little_to_tell() -> None:
    fresh = Freshness(TENANT, ENGLISH, [], [], Build(None, None))
    assert fresh.section() is None
    assert fresh.problem_section().lead == "No rule of data quality found anything."
