"""What a report says in short: kept beside its files, in its locale, states as words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from orchestration.delivery.rendering import read_back, summary_of, text_body
from orchestration.reports import RenderedReport
from orchestration.reports.document import (
    Brand,
    Cards,
    Comparison,
    Document,
    Figure,
    Insight,
    Insights,
    Target,
)


def report() -> RenderedReport:
    mrr = Figure(
        "mrr", "MRR", Decimal("12345.5"), format="money", currency="EUR",
        comparison=Comparison("October", Decimal(11000), Decimal(1345), Decimal("0.1223"), "up", "better"),
        target=Target(Decimal("13000"), None, "warning"),
    )  # fmt: skip
    nrr = Figure("nrr", "Net revenue retention", None, format="percent", reason="no customers before")
    happened = Insights((Insight("mover", "MRR rose.", ()), Insight("record", "Calls at their best.", ())))
    document = Document(
        report="executive", title="Executive report", frequency="monthly", tenant="Gym", branch="North",
        period_start=date(2026, 10, 1), period_end=date(2026, 10, 31), period_words="Oktober 2026",
        as_of=datetime(2026, 11, 1, 5, tzinfo=UTC), timezone="UTC", headline="MRR rose.",
        standfirst="Churn fell.", brand=Brand(), locale="de", front=(happened, Cards((mrr, nrr))),
        warnings=("An exchange rate is missing.",),
    )  # fmt: skip
    return RenderedReport("Executive", document, {}, {}, "")


def test_numbers_in_the_locale_and_states_in_words() -> None:
    said = summary_of(report())
    assert said.title == "Executive report: Gym, North"
    assert said.lines == ("MRR rose.", "Churn fell.", "Calls at their best.", "An exchange rate is missing.")
    assert said.as_of == "1. November 2026, 05:00 (UTC)"
    assert said.against == "October"
    mrr, nrr = said.highlights
    assert (mrr.value, mrr.change, mrr.status) == (
        "12.346\xa0€",
        "plus 12,2\xa0%",
        "Ziel knapp verfehlt",
    )
    assert (nrr.value, nrr.change, nrr.status) == ("—", "no customers before", "")


def test_the_text_of_a_mail_is_in_the_language_of_the_report() -> None:
    lines = text_body(replace(report(), files={"pdf": b"%PDF"})).splitlines()
    assert lines.count("MRR rose.") == 1, "the headline is not said again"
    assert lines.index("Calls at their best.") < lines.index(
        "MRR: 12.345,50\u00a0€ (plus 12,2\u00a0%, Vergleich: October)"
    )
    assert "MRR: 12.345,50\u00a0€ (plus 12,2\u00a0%, Vergleich: October)" in lines
    assert "Datenstand: 1. November 2026, 05:00 (UTC)." in lines
    assert lines[-1] == "Der vollständige Bericht liegt bei."


def test_the_summary_comes_back_as_it_was_kept(tmp_path) -> None:
    content = json.dumps(asdict(summary_of(report()))).encode()
    path = tmp_path / "summary.json"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = {"format": "summary.json", "path": str(path), "bytes": len(content), "sha256": digest}
    assert read_back([entry]).summary == summary_of(report())
