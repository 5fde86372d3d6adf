"""A document with every kind of block and the nastiest texts and numbers that files for machines meet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from orchestration.reports import templates
from orchestration.reports.document import (
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Comparison,
    Definition,
    Document,
    Figure,
    FigureTable,
    Insight,
    Insights,
    Remarks,
    Row,
    Section,
    Series,
    Source,
    Table,
    Target,
)

REPORT = templates.report_type("executive", None)
EVIL = '=HYPERLINK("http://evil.example","x")'
#: More digits than a float keeps.
LONG = Decimal("-1234567890123.456789")

SOURCE = Source("marts.metric_timeseries", "value", (("tenant_id", "t"), ("metric", "mrr")))
MRR = Figure(
    "mrr", "MRR", LONG, "money", "currency", "JPY", "up", "What customers pay.",
    comparison=Comparison("the week before", Decimal(-5), Decimal("1.5"), Decimal("0.3"), "up", "better"),
    target=Target(Decimal(100), None, "warning"), source=SOURCE,
)  # fmt: skip
RATE = Figure("rate", "-Rate", Decimal("0.12345"), "percent", "rate")
NOTHING = Figure("ltv", "LTV", None, "money", "currency", "EUR", reason="nobody left")
CALL = Figure("call", "+Call", Decimal("61.5"), "duration", "seconds")
DAYS = (date(2026, 10, 12), date(2026, 10, 13))
LINE = Chart("mrr", "MRR", "line", DAYS, (Series("MRR", (None, Decimal(7))),), MRR, "alt", RATE)
HEATMAP = Chart(
    "cohorts", "Retention", "heatmap", ("0", "1"),
    (
        Series("@Oct", (Decimal(1), Decimal("0.5")), Figure("size", "Size", 12)),
        Series("Nov", (Decimal(1), None)),
    ),
    RATE, "alt",
)  # fmt: skip
COLUMNS = (Column("Person", "left"), Column("Calls"), Column("Team", "left"))


def people(count: int) -> Table:
    rows = tuple(Row(f"Person {n}", (Figure(f"p.{n}", "Calls", n), "north")) for n in range(count))
    return Table(
        "people", "People", COLUMNS, (*rows, Row("All", (Figure("p.all", "Calls", count), ""), True))
    )


SMALL = Table(
    "staff", "Staff", COLUMNS,
    (Row(EVIL, (CALL, "\t@x")), Row("Bee", (NOTHING, "a, \"b\"\r\nc"))), "A note.",
)  # fmt: skip
DOCUMENT = Document(
    report="executive", title="Executive report", frequency="weekly", tenant="Ä & B", branch=None,
    period_start=date(2026, 10, 12), period_end=date(2026, 10, 18), period_words="one week",
    as_of=datetime(2026, 10, 19, 12, 30, tzinfo=UTC), timezone="UTC", headline=EVIL, standfirst="So so.",
    brand=Brand(), locale="en",
    front=(
        Insights((Insight("mover", "MRR fell.", (MRR,)),)), Cards((MRR, RATE, NOTHING)), Charts((LINE,)),
        Remarks("Good", ("=1+1",)),
    ),
    sections=(
        Section("a", "Rev: [x]/*?\\", "Lead.", (FigureTable("f", "All", (MRR, CALL), "the week before"),)),
        Section("b", "rev  x", "", (Charts((HEATMAP,)), SMALL, people(60))),
        Section("c", "?*", "", ()),
    ),
    definitions=(Definition("MRR", "What customers pay."),), notes=("A note.",), warnings=("Careful.",),
)  # fmt: skip
