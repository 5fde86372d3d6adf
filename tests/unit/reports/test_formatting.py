"""Numbers, changes and dates as text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from orchestration.errors import MetricpressError
from orchestration.reports.document import Comparison, Figure
from orchestration.reports.formatting import Formatter, require_language

MONEY = Figure("mrr", "MRR", Decimal("1234567.891"), "money", "currency", "EUR")
EN = Formatter.of("en")


@pytest.mark.parametrize(
    ("value", "exact", "card"),
    [
        ("1234567.891", "€1,234,567.89", "€1.23M"),
        ("-98765432100", "−€98,765,432,100.00", "−€98.77B"),
        ("10159610000000000", "€10,159,610,000,000,000.00", "€10,159.61T"),
        ("136415.01", "€136,415.01", "€136,415"),
        ("9999.994", "€9,999.99", "€10,000"),
        ("999.994", "€999.99", "€999.99"),
        ("0", "€0.00", "€0.00"),
        ("0.005", "€0.00", "€0.00"),
        ("0.015", "€0.02", "€0.02"),
    ],
)
def test_money_is_exact_in_tables_and_short_on_cards(value: str, exact: str, card: str) -> None:
    assert EN.like(MONEY, Decimal(value)) == exact
    assert EN.like(MONEY, Decimal(value), compact=True) == card


@pytest.mark.parametrize(
    ("currency", "text"), [("JPY", "¥1,235"), ("KWD", "KWD\u00a01,234.568"), ("USD", "$1,234.57")]
)
def test_money_has_the_digits_of_its_currency(currency: str, text: str) -> None:
    assert EN.like(replace(MONEY, currency=currency), Decimal("1234.5678")) == text


def test_numbers_follow_the_locale() -> None:
    german = Formatter.of("de")
    assert german.figure(MONEY) == "1.234.567,89\u00a0€"
    assert german.like(Figure("n", "n", None), 1234567) == "1.234.567"
    assert Formatter.of("fr").like(Figure("n", "n", None), 1234567) == "1\u00a0234\u00a0567"


def test_an_unknown_locale_is_named() -> None:
    with pytest.raises(MetricpressError, match="klingon"):
        Formatter.of("klingon")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.5", "50.0%"), ("0", "0.0%"), ("1", "100.0%"), ("0.0021", "0.21%"), ("0.9991", "99.91%"),
        ("1.0205", "102.0%"), ("-0.25", "−25.0%"), ("12", "1,200.0%"),
    ],
)  # fmt: skip
def test_shares_near_their_ends_have_two_decimals(value: str, text: str) -> None:
    assert EN.figure(Figure("r", "r", Decimal(value), "percent", "rate")) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("0", "seconds", "0.0 s"), ("59.94", "seconds", "59.9 s"), ("61", "seconds", "1 min 01 s"),
        ("3599.7", "seconds", "1 h 00 min"), ("3600", "seconds", "1 h 00 min"),
        ("36.5", "hours", "36 h 30 min"),
        ("100", "hours", "4.2 days"), ("342.4", "milliseconds", "342 ms"), ("-75", "seconds", "−1 min 15 s"),
    ],
)  # fmt: skip
def test_durations(value: str, unit: str, text: str) -> None:
    assert EN.figure(Figure("d", "d", Decimal(value), "duration", unit)) == text


def test_null_is_a_dash() -> None:
    assert EN.figure(replace(MONEY, value=None)) == "—"


@pytest.mark.parametrize(
    ("change", "rate", "kind", "text"),
    [
        ("10", "0.042", "integer", "4.2%"), ("-10", "-0.042", "integer", "4.2%"), ("5", None, "integer", ""),
        ("0.012", None, "percent", "1.2 points"), ("90", "45.3", "integer", "45-fold"),
        ("1e9", "1e12", "integer", "more than 1,000-fold"),
        ("1", "9.99", "integer", "999.0%"),
    ],
)  # fmt: skip
def test_a_change_is_told_without_its_sign(change: str, rate: str | None, kind: str, text: str) -> None:
    comparison = Comparison(
        "the day before", 1, Decimal(change), Decimal(rate) if rate else None, "up", "neutral"
    )
    figure = Figure("x", "x", Decimal("0.5"), kind, comparison=comparison)  # type: ignore[arg-type]
    assert EN.change(figure) == text


def test_periods_read_as_words() -> None:
    day, end = date(2026, 10, 12), date(2026, 10, 18)
    assert EN.period(end, end, "daily") == "Sunday, October 18, 2026"
    assert EN.period(day, end, "weekly") == "October 12\u00a0–\u00a018, 2026"
    assert (
        EN.period(date(2026, 12, 28), date(2027, 1, 3), "weekly")
        == "December 28, 2026\u00a0–\u00a0January 3, 2027"
    )
    assert EN.period(date(2026, 10, 1), date(2026, 10, 31), "monthly") == "October 2026"
    assert Formatter.of("en_GB").period(day, end, "weekly") == "12–18 October 2026"
    assert Formatter.of("de").moment(datetime(2026, 10, 18, 23, 59)) == "18. Oktober 2026, 23:59"


def test_axis_labels_of_one_chart_have_the_same_decimals() -> None:
    share = Figure("r", "r", None, "percent")
    assert EN.axis(share, [Decimal("1.02"), Decimal("1.0225")]) == ["102.00%", "102.25%"]
    assert EN.axis(share, [Decimal(0), Decimal("0.5")]) == ["0%", "50%"]
    score = Figure("s", "s", None, "decimal")
    assert EN.axis(score, [Decimal(7), Decimal("7.5"), Decimal(8)]) == ["7.0", "7.5", "8.0"]
    assert EN.axis(score, [Decimal("0.425"), Decimal("0.43")]) == ["0.425", "0.430"], "not 0.43 twice"
    assert EN.axis(Figure("l", "l", None, "decimal", "milliseconds"), [Decimal(100)]) == ["100 ms"]
    near = [Decimal(1240), Decimal(1260), Decimal(1280)]
    assert EN.axis(MONEY, near) == ["€1.24K", "€1.26K", "€1.28K"], "not €1.2K, €1.3K, €1.3K"
    assert EN.axis(MONEY, [Decimal(-500), Decimal(1_500_000)])[0].startswith("−€500")
    # German abbreviates nothing below a million.
    assert Formatter.of("de").axis(MONEY, [Decimal(0), Decimal(150_000)]) == ["0\u00a0€", "150.000\u00a0€"]
    assert Formatter.of("de").axis(Figure("n", "n", None), [Decimal(20_000)]) == ["20.000"]


#: Known answers of CLDR, by locale: share, amount, card, count, week, week across months, hour, size.
KNOWN = {
    "en": ("4.2%", "−€1,234,567.50", "€1.23M", "1,234,567", "October 12 – 18, 2026",
           "September 28 – October 4, 2026", "14:00 – 15:00", "1.2 MB"),
    "en_GB": ("4.2%", "−€1,234,567.50", "€1.23M", "1,234,567", "12–18 October 2026",
              "28 September – 4 October 2026", "14:00–15:00", "1.2 MB"),
    "de": ("4,2 %", "−1.234.567,50 €", "1,23 Mio. €", "1.234.567", "12.–18. Oktober 2026",
           "28. September – 4. Oktober 2026", "14:00–15:00 Uhr", "1,2 MB"),
    "de_CH": ("4.2%", "EUR −1’234’567.50", "1.23 Mio. EUR", "1’234’567", "12.–18. Oktober 2026",
              "28. September – 4. Oktober 2026", "14:00–15:00 Uhr", "1.2 MB"),
    "ja": ("4.2%", "−€1,234,567.50", "€123.46万", "1,234,567", "2026年10月12日～18日",
           "2026年9月28日～10月4日", "14時00分～15時00分", "1.2 MB"),
    "en_IN": ("4.2%", "−€12,34,567.50", "€12.35L", "12,34,567", "12–18 October 2026",
              "28 September – 4 October 2026", "14:00–15:00", "1.2 MB"),
}  # fmt: skip


@pytest.mark.parametrize("locale", KNOWN)
def test_forms_of_a_locale(locale: str) -> None:
    form = Formatter.of(locale)
    said = (
        form.figure(Figure("r", "r", Decimal("0.042"), "percent", "rate")),
        form.like(MONEY, Decimal("-1234567.5")),
        form.like(MONEY, Decimal("1234567.5"), compact=True),
        form.figure(Figure("n", "n", 1234567)),
        form.period(date(2026, 10, 12), date(2026, 10, 18), "weekly"),
        form.period(date(2026, 9, 28), date(2026, 10, 4), "weekly"),
        form.hour_span(14),
        form.figure(Figure("b", "b", 1234567, unit="bytes")),
    )
    assert tuple(words.replace("\u00a0", " ") for words in said) == KNOWN[locale]


def test_words_of_numbers_in_german() -> None:
    german = Formatter.of("de")
    assert german.like(Figure("d", "d", None, "duration", "seconds"), 75) == "1 min 15 s"
    assert german.like(Figure("d", "d", None, "duration", "days"), Decimal("3.5")) == "3,5 Tage"
    assert german.like(Figure("m", "m", None, "months"), Decimal("12")) == "12,0 Monate"
    points = Comparison("Vorwoche", Decimal("0.4"), Decimal("0.012"), None, "up", "better")
    assert german.change(Figure("r", "r", Decimal("0.412"), "percent", comparison=points)) == (
        "1,2 Prozentpunkte"
    )
    assert german.weekday(1) == "Montag"
    assert german.axis(Figure("r", "r", None, "percent"), [Decimal("0.5")]) == ["50\u00a0%"]


def test_a_language_without_texts_is_refused() -> None:
    for name in ("en", "en_GB", "de", "de-AT", "de_CH"):
        require_language(name)
    with pytest.raises(MetricpressError, match="French") as caught:
        require_language("fr_CA")
    assert "en, de" in caught.value.remedy


def test_axis_labels_of_a_language_without_a_short_thousand_have_their_separator() -> None:
    axis = Formatter.of("de").axis(MONEY, [Decimal(0), Decimal(250_000), Decimal(500_000)])
    assert axis == ["0\u00a0€", "250.000\u00a0€", "500.000\u00a0€"]
