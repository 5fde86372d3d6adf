"""Reports from marts in PostgreSQL to finished PDFs, read back with pdftotext.

Every figure shown is computed a second time here, by SQL of its own on the marts, formatted by rules of its
own and looked for in the text of the PDF.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.reports import RenderedReport, ReportRequest, first_page_png, render
from orchestration.reports.document import Cards, Charts, Figure

pytestmark = pytest.mark.integration

MARTS = Path(__file__).parents[1] / "unit" / "reports" / "fixtures" / "marts.sql"
WEEK, SUNDAY_WEEK = (date(2026, 10, 12), date(2026, 10, 18)), (date(2026, 10, 11), date(2026, 10, 17))
DAY, MONTH = (date(2026, 10, 19), date(2026, 10, 19)), (date(2026, 9, 1), date(2026, 9, 30))
PERIODS = {"daily": DAY, "weekly": WEEK, "monthly": MONTH}

Connection = psycopg.Connection[Any]
Render = Callable[..., RenderedReport]


@pytest.fixture(scope="module")
def marts(module_database: Connection) -> Iterator[Connection]:
    module_database.execute(MARTS.read_text())
    module_database.execute("grant usage on schema marts to metricpress_bi, metricpress_pipeline")
    module_database.execute(
        "grant select on all tables in schema marts to metricpress_bi, metricpress_pipeline"
    )
    module_database.commit()
    yield module_database


@pytest.fixture
def report(marts: Connection) -> Render:
    def make(
        tenant: str, name: str, frequency: str, formats: tuple[str, ...] = (), **more: Any
    ) -> RenderedReport:
        start, end = more.pop("period", PERIODS[frequency])
        return render(marts, ReportRequest(tenant, name, frequency, start, end, **more), formats)  # type: ignore[arg-type]

    return make


def text_of(pdf: bytes) -> str:
    """The PDF's text with single plain spaces; poppler-utils is a system package that CI has to install."""
    assert shutil.which("pdftotext"), "install poppler-utils: reports are read back with pdftotext"
    run = subprocess.run(["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True)
    return " ".join(run.stdout.decode().split())


def shown(figure: Figure, value: Any, share_digits: int = 1) -> str:  # noqa: PLR0911
    """A value as an English report prints it in a table; a rule of its own, beside the one tested."""
    if value is None:
        return "—"
    number = Decimal(value)
    sign = "−" if number < 0 else ""
    number = abs(number)
    if figure.format == "money":
        symbol, digits = {"EUR": ("€", 2), "JPY": ("¥", 0), "USD": ("$", 2)}[str(figure.currency)]
        return f"{sign}{symbol}{number:,.{digits}f}"
    if figure.format == "percent":
        return f"{sign}{number * 100:,.{share_digits}f}%"
    if figure.format == "decimal":
        return f"{sign}{number:,.2f}"
    if figure.unit == "milliseconds":
        return f"{sign}{number:,.0f} ms"
    if figure.unit == "hours":
        minutes = round(number * 60)
        return f"{sign}{minutes // 60} h {minutes % 60:02d} min"
    if figure.format == "duration":
        seconds = round(number)
        return f"{sign}{seconds // 60} min {seconds % 60:02d} s"
    return f"{sign}{number:,.0f}"


def digits(figure: Figure) -> int:
    """Two decimals for shares within a hundredth of 0 or 1."""
    value = Decimal(figure.value or 0)
    return 2 if 0 < min(abs(value), abs(1 - value)) < Decimal("0.01") else 1


def series(conn: Connection, tenant: str, grain: str, start: date) -> dict[str, Decimal | None]:
    sql = """select metric, value from marts.metric_timeseries
             where (tenant_id, grain, period_start) = (%s, %s, %s)"""
    return dict(conn.execute(sql, (tenant, grain, start)).fetchall())


@pytest.mark.parametrize(
    ("frequency", "grain", "before"),
    [
        ("daily", "day", date(2026, 10, 18)),
        ("weekly", "week", date(2026, 10, 5)),
        ("monthly", "month", date(2026, 8, 1)),
    ],
)
def test_every_executive_figure_is_that_of_its_mart(
    marts: Connection, report: Render, frequency: str, grain: str, before: date
) -> None:
    got = report("harbour", "executive", frequency, ("pdf",))
    now, then = (series(marts, "harbour", grain, day) for day in (PERIODS[frequency][0], before))
    text = text_of(got.files["pdf"])
    figures = {figure.key: figure for figure in got.document.figures()}
    tables = 0
    for key, value in got.figures.items():
        if key.startswith("mrr_bridge") or key.endswith((".target", ".change_rate")):
            continue
        metric = key.removesuffix(".previous")
        expected = (then if key.endswith(".previous") else now).get(metric)
        assert value == expected, key
        assert shown(figures[metric], expected, digits(figures[metric])) in text, key
        tables += 1
    assert tables > 60


def test_the_bridge_is_that_of_the_ledger(marts: Connection, report: Render) -> None:
    got = report("harbour", "executive", "weekly", ("pdf",))
    sql = """select movement, sum(amount) from marts.mrr_movements
             where tenant_id = 'harbour' and movement_date between %s and %s group by 1"""
    moved = dict(marts.execute(sql, WEEK).fetchall())
    steps = {key.split(".")[1]: value for key, value in got.figures.items() if key.startswith("mrr_bridge")}
    assert steps["new"] == moved["new"]
    assert steps["churn"] == -moved["churn"]
    assert sum(steps[name] for name in steps if name != "end") == steps["end"]  # type: ignore[misc]
    assert f"−€{moved['churn']:,.2f}" in text_of(got.files["pdf"])


@pytest.mark.parametrize("branch", [None, "north"])
def test_every_lead_figure_is_that_of_its_mart(marts: Connection, report: Render, branch: str | None) -> None:
    got = report("harbour", "lead_performance", "weekly", ("pdf",), branch_id=branch)
    expected = lead_figures(marts, branch)
    text = text_of(got.files["pdf"])
    figures = {figure.key: figure for figure in got.document.figures()}
    assert len(expected) > 80
    for key, value in expected.items():
        assert got.figures[key] == (None if value is None else pytest.approx(value)), key
        figure = figures[key.removesuffix(".previous") if key not in figures else key]
        assert shown(figure, value, digits(figure)) in text, key


def lead_figures(conn: Connection, branch: str | None) -> dict[str, Decimal | None]:
    """Figures of the weekly lead report, by SQL that adds up the marts."""
    given = {"first": WEEK[0], "last": WEEK[1], "branch": branch}
    where = """tenant_id = 'harbour' and metric_date between %(first)s and %(last)s
               and coalesce(branch_id = %(branch)s, true)"""
    queries = f"""
        select 'new_leads', sum(new_leads)::numeric from marts.lead_performance_daily where {where}
        union all select 'conversion_rate', sum(converted_leads) / sum(new_leads) from marts.lead_performance_daily where {where}
        union all select 'total_calls', sum(total_calls) from marts.lead_performance_daily where {where}
        union all select 'call_success_rate', sum(calls_completed) / sum(total_calls) from marts.lead_performance_daily where {where}
        union all select 'interest_rate', sum(calls_interested) / sum(calls_completed) from marts.lead_performance_daily where {where}
        union all select 'calls_per_lead', sum(lead_calls) / sum(new_leads) from marts.lead_performance_daily where {where}
        union all select 'avg_call_seconds', sum(call_seconds) / sum(timed_calls) from marts.call_performance_hourly where {where}
        union all select 'status.qualified', sum(status_qualified) from marts.lead_performance_daily where {where}
        union all select 'status.qualified.share', sum(status_qualified) / sum(new_leads) from marts.lead_performance_daily where {where}
        union all select 'funnel.contacted_leads', sum(contacted_leads) from marts.lead_performance_daily where {where}
        union all select 'funnel.converted_leads.step_rate', sum(converted_leads) / sum(qualified_leads) from marts.lead_performance_daily where {where}
        union all select 'hour.' || to_char(hour_of_day, 'FM00') || '.total_calls', sum(total_calls)
            from marts.call_performance_hourly where {where} group by hour_of_day
        union all select 'hour.' || to_char(hour_of_day, 'FM00') || '.call_success_rate', sum(calls_completed) / sum(total_calls)
            from marts.call_performance_hourly where {where} group by hour_of_day
        union all select 'outcome.' || outcome, sum(calls_completed) from marts.call_outcomes_daily where {where} group by outcome
        union all select 'staff.' || staff_id || '.calls', sum(calls) from marts.staff_performance_daily where {where} group by staff_id
        union all select 'staff.' || staff_id || '.call_success_rate', sum(completed) / nullif(sum(calls), 0)
            from marts.staff_performance_daily where {where} group by staff_id
        union all select 'staff.' || staff_id || '.avg_talk_seconds', sum(talk_seconds) / nullif(sum(timed_calls), 0)
            from marts.staff_performance_daily where {where} group by staff_id
        union all select 'staff.' || staff_id || '.conversion_rate', sum(leads_converted) / nullif(sum(leads_assigned), 0)
            from marts.staff_performance_daily where {where} group by staff_id
        union all select 'staff.' || staff_id || '.leads_assigned', sum(leads_assigned)
            from marts.staff_performance_daily where {where} group by staff_id
        union all select 'staff.all.calls', sum(calls) from marts.staff_performance_daily where {where}
        union all select 'source.' || source || '.leads', sum(leads) from marts.lead_funnel
            where tenant_id = 'harbour' and cohort_week = %(first)s and coalesce(branch_id = %(branch)s, true) group by source
        union all select 'source.' || source || '.conversion_rate', sum(converted) / sum(leads) from marts.lead_funnel
            where tenant_id = 'harbour' and cohort_week = %(first)s and coalesce(branch_id = %(branch)s, true) group by source
        union all select 'median_hours_to_contact', 5.25
        union all select 'median_hours_to_convert', null
    """  # noqa: E501
    found = dict(conn.execute(queries, given).fetchall())
    before = conn.execute(
        f"select sum(new_leads) from marts.lead_performance_daily where {where}",
        given | {"first": date(2026, 10, 5), "last": date(2026, 10, 11)},
    ).fetchone()
    assert before
    return found | {"new_leads.previous": before[0]}


def test_a_long_staff_list_ends_in_a_row_for_the_rest(report: Render) -> None:
    got = report("harbour", "lead_performance", "weekly", parameters={"staff_rows": 3})
    parts = [value for key, value in got.figures.items() if re.fullmatch(r"staff\.(?!all)\w+\.calls", key)]
    assert len(parts) == 4
    assert sum(parts) == got.figures["staff.all.calls"]  # type: ignore[arg-type]


def test_a_first_week_has_nothing_to_compare_with(report: Render) -> None:
    got = report("giant", "lead_performance", "weekly", ("pdf",), branch_id="one")
    assert got.figures["status.all.previous"] is None
    assert got.figures["new_leads.previous"] is None
    text = text_of(got.files["pdf"])
    assert "The week before lies before the first record." in text
    assert "The week before has no figure for any of these." in text
    assert "better" not in text


def test_the_same_data_gives_the_same_bytes_also_in_another_process(
    marts: Connection, report: Render, module_settings: Any
) -> None:
    first = report("harbour", "executive", "weekly", ("pdf", "html"))
    assert report("harbour", "executive", "weekly", ("pdf", "html")).files == first.files
    program = f"""
import hashlib, json, psycopg
from datetime import date
from orchestration.reports import ReportRequest, render
with psycopg.connect({module_settings.database_url!r}) as conn:
    request = ReportRequest("harbour", "executive", "weekly", date(2026, 10, 12), date(2026, 10, 18))
    got = render(conn, request, ["pdf", "html"])
print(json.dumps({{name: hashlib.sha256(data).hexdigest() for name, data in got.files.items()}}))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {n: hashlib.sha256(data).hexdigest() for n, data in first.files.items()}


def test_the_pdf_says_what_it_is(report: Render) -> None:
    got = report("harbour", "executive", "weekly", ("pdf",))
    with pikepdf.open(io.BytesIO(got.files["pdf"])) as pdf:
        assert str(pdf.Root.Lang) == "en"
        assert bool(pdf.Root.MarkInfo.Marked)
        assert (
            str(pdf.docinfo.Title)
            == "Harbour & Lane Studios: Executive report, October 12\u00a0–\u00a018, 2026"
        )
        with pdf.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
        assert 2 <= len(pdf.pages) <= 8
        box = [float(number) for number in pdf.pages[0].mediabox]
    assert (round(box[2]), round(box[3])) == (595, 842)
    text = text_of(got.files["pdf"])
    pages = re.findall(r"\b(\d) ?/ ?(\d)\b", text)
    assert [int(page) for page, _ in pages] == list(range(1, int(pages[0][1]) + 1))
    assert "Data as of October 20, 2026, 12:00 AM (Europe/Berlin)" in text
    assert "▲" not in text
    assert "up 1.1% from €136,415 better" in text


def test_a_tenant_sees_the_sections_it_has_data_in(report: Render) -> None:
    full = [section.key for section in report("harbour", "executive", "monthly").document.sections]
    assert full == [
        "revenue", "customers", "engagement", "activation", "leads", "calls", "collaboration", "jobs",
        "operations",
    ]  # fmt: skip
    volt = report("volt", "executive", "weekly", period=SUNDAY_WEEK)
    assert [section.key for section in volt.document.sections] == ["engagement"]
    assert volt.document.headline.startswith("Weekly active users")
    some = report("harbour", "executive", "weekly", parameters={"sections": ["calls", "revenue"]})
    assert [section.key for section in some.document.sections] == ["revenue", "calls"]


def test_a_period_without_data_says_so_instead_of_zeros(report: Render) -> None:
    for tenant, name, period, words in (
        ("silent", "executive", WEEK, "has no recorded figures yet"),
        ("silent", "lead_performance", WEEK, "has no recorded leads or calls yet"),
        ("harbour", "executive", (date(2020, 1, 6), date(2020, 1, 12)), "Its figures lie from the week of"),
        ("harbour", "lead_performance", (date(2020, 1, 6), date(2020, 1, 12)), "lie from July 1, 2026"),
    ):
        got = report(tenant, name, "weekly", ("pdf",), period=period)
        text = text_of(got.files["pdf"])
        assert got.figures == {}
        assert words in text
        assert words in got.html_body
        assert "0.0%" not in text


def test_a_silent_domain_is_told_in_one_line(report: Render) -> None:
    text = text_of(report("harbour", "executive", "weekly", ("pdf",)).files["pdf"])
    assert "Nothing was recorded for new users." in text


def test_null_figures_are_dashes_with_a_reason(marts: Connection, report: Render) -> None:
    got = report("harbour", "executive", "monthly", ("pdf",))
    assert got.figures["ltv"] is None
    assert "— Lifetime value: there is nothing to divide by (customer churn rate: 0)." in text_of(
        got.files["pdf"]
    )
    marts.execute(
        "update marts.metric_timeseries set value = null where tenant_id = 'harbour' and metric = 'mrr'"
    )
    try:
        unknown = report("harbour", "executive", "weekly", ("pdf",))
        assert "an amount or an exchange rate it needs is missing" in text_of(unknown.files["pdf"])
        assert not [key for key in unknown.figures if key.startswith("mrr_bridge")]
    finally:
        marts.rollback()


def test_a_bridge_that_does_not_add_up_is_left_out_and_said(marts: Connection, report: Render) -> None:
    marts.execute("delete from marts.mrr_movements where tenant_id = 'harbour' and movement = 'churn'")
    try:
        got = report("harbour", "executive", "weekly", ("pdf",))
    finally:
        marts.rollback()
    charts = [chart for block in got.document.blocks() if isinstance(block, Charts) for chart in block.charts]
    assert "bridge" not in {chart.kind for chart in charts}
    assert "of the change in MRR unexplained" in text_of(got.files["pdf"])


def test_targets_show_how_the_figure_stands(report: Render) -> None:
    text = text_of(report("harbour", "executive", "weekly", ("pdf",)).files["pdf"])
    assert "Target €130,000 on target" in text
    assert re.search(r"Call success rate .* 80\.0% near target", text)
    assert "off target" in text


def test_long_names_and_large_numbers_stay_on_the_page(report: Render) -> None:
    for name, branch in (("executive", None), ("lead_performance", "one")):
        got = report("giant", name, "weekly", ("pdf",), branch_id=branch)
        run = subprocess.run(
            ["pdftotext", "-bbox", "-", "-"], input=got.files["pdf"], capture_output=True, check=True
        )
        words = re.findall(r'<word xMin="([-\d.]+)" yMin="[-\d.]+" xMax="([\d.]+)"', run.stdout.decode())
        assert words
        assert min(float(left) for left, _ in words) > 50
        assert max(float(right) for _, right in words) < 595.3 - 50
    assert "Überlandwerk" in got.html_body


def test_the_brand_is_printed_and_its_faults_are_told(marts: Connection, report: Render) -> None:
    pixel = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
        "gg=="
    )
    brand = {
        "colours": {"primary": "#ffee00", "accent": "blue"},
        "logo": pixel,
        "footer": "Harbour GmbH, <Kiel>",
    }
    marts.execute(
        "insert into reporting.tenant_settings (tenant_id, brand, past_due_days) values ('harbour', %s, 14)",
        (json.dumps(brand),),
    )
    try:
        got = report("harbour", "executive", "weekly", ("pdf",))
    finally:
        marts.rollback()
    text = text_of(got.files["pdf"])
    assert text.count("Harbour GmbH, <Kiel>") == len(re.findall(r"\b\d ?/ ?\d\b", text))
    assert "The brand colour accent is not of the form #rrggbb" in text
    assert "counts as churned after 14 days" in text
    assert "#ffee00" not in got.html_body
    with pikepdf.open(io.BytesIO(got.files["pdf"])) as pdf:
        assert len(pdf.pages[0].images) == 1


@pytest.mark.parametrize("role", ["metricpress_bi", "metricpress_pipeline"])
def test_a_reader_of_the_marts_may_render(marts: Connection, report: Render, role: str) -> None:
    marts.execute(f"set role {role}")
    marts.commit()
    try:
        assert report("harbour", "executive", "daily").figures
    finally:
        marts.rollback()
        marts.execute("reset role")
        marts.commit()


def test_the_snapshot_ends_with_the_report(marts: Connection, report: Render) -> None:
    marts.commit()
    report("harbour", "executive", "daily")
    assert marts.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_queries_do_not_grow_with_the_figures(report: Render) -> None:
    """A few set-based queries for a report, not one for each card."""
    for name in ("executive", "lead_performance"):
        before = COUNT["executed"]
        report("harbour", name, "weekly")
        assert COUNT["executed"] - before < 20


COUNT = {"executed": 0}


@pytest.fixture(autouse=True)
def _count_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    execute = psycopg.Cursor.execute

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        COUNT["executed"] += 1
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (("nobody", "executive", "weekly", *WEEK), "nobody"),
        (("harbour", "unknown", "weekly", *WEEK), "unknown"),
        (("harbour", "lead_performance", "monthly", *MONTH), "not made monthly"),
        (("harbour", "executive", "weekly", *SUNDAY_WEEK), "not a period"),
        (("harbour", "lead_performance", "weekly", *WEEK, "nowhere"), "nowhere"),
        (("harbour", "executive", "weekly", *WEEK, "north"), "by branch"),
        (("harbour", "executive", "weekly", *WEEK, None, {"sections": ["x"]}), "sections"),
        (("harbour", "executive", "weekly", *WEEK, None, {}, "xx-yy-zz"), "locale"),
    ],
)
def test_what_cannot_be_rendered_is_named(marts: Connection, request_: tuple[Any, ...], words: str) -> None:
    with pytest.raises(MetricpressError, match=words) as caught:
        render(marts, ReportRequest(*request_), ["pdf"])
    assert caught.value.remedy
    with pytest.raises(MetricpressError, match="docx"):
        render(marts, ReportRequest("harbour", "executive", "weekly", *WEEK), ["docx"])


def test_another_locale_formats_its_own_way(report: Render) -> None:
    got = report("harbour", "executive", "weekly", ("pdf",), locale="de")
    assert "12.–18. Oktober 2026" in got.title
    assert "137.904,77 €" in text_of(got.files["pdf"])


def test_cards_are_few_and_the_first_page_has_a_picture(report: Render) -> None:
    got = report("harbour", "executive", "daily", ("pdf",))
    (cards,) = [block for block in got.document.front if isinstance(block, Cards)]
    assert len(cards.figures) == 6
    assert (first_page_png(got.files["pdf"]) or b"").startswith(b"\x89PNG")
