"""Settings and targets of a tenant: types and vocabularies, and what an error says."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import MetricpressError
from orchestration.warehouse.metric_targets import check_number, target_from
from orchestration.warehouse.tenant_settings import SETTINGS, check_setting

#: A PNG of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PIXEL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gross_margin", "0.85", Decimal("0.85")),
        ("gross_margin", 1, Decimal(1)),
        ("past_due_days", "30", 30),
        ("past_due_days", "none", None),
        ("past_due_days", None, None),
        ("churn_on", "intent", "intent"),
        ("activation_events", "upload, report,upload", ["upload", "report"]),
        ("activation_events", ["upload"], ["upload"]),
        ("mau_window_days", "28", 28),
        ("mau_window_days", "default", 30),
        ("retention_cohorts", "", []),
        ("retention_cohorts", "signup,recurring", ["signup", "recurring"]),
        ("locale", "de-AT", "de_AT"),
        ("allowed_recipient_domains", "Example.com, board.example.org", ["example.com", "board.example.org"]),
        ("allowed_recipient_domains", "none", None),
        ("clock_stops_at", "2024-03-31T23:00:00-05:00", datetime(2024, 4, 1, 4, tzinfo=UTC)),
        ("brand.colours.primary", "#1F4E79", "#1f4e79"),
        ("brand.logo", PIXEL, PIXEL),
    ],
)
def test_good_values(name: str, value: Any, expected: Any) -> None:
    assert check_setting(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gross_margin", "80"),
        ("gross_margin", "NaN"),
        ("gross_margin", "Infinity"),
        ("gross_margin", "eighty"),
        ("gross_margin", "none"),
        ("past_due_days", "-1"),
        ("past_due_days", "1.5"),
        ("past_due_days", True),
        ("churn_on", "End"),
        ("activation_events", ""),
        ("activation_events", ["upload", 7]),
        ("activation_events", 7),
        ("mau_window_days", "0"),
        ("mau_window_days", "367"),
        ("retention_cohorts", "signup,first_visit"),
        ("locale", "klingon"),
        ("locale", "fr"),
        ("locale", "pt_PT"),
        ("locale", ""),
        ("allowed_recipient_domains", "@example.com"),
        ("allowed_recipient_domains", "example"),
        ("retention_days", "0"),
        ("clock_stops_at", "2024-03-31"),
        ("clock_stops_at", "2024-03-31T23:00:00"),
        ("clock_stops_at", "soon"),
        ("brand.colours.primary", "navy"),
        ("brand.logo", "/nowhere/logo.png"),
        ("brand.footer", "x" * 201),
    ],
)
def test_bad_values_are_named_with_what_is_expected(name: str, value: Any) -> None:
    with pytest.raises(MetricpressError) as caught:
        check_setting(name, value)
    assert name in str(caught.value)
    assert caught.value.remedy.startswith("Give ")
    assert caught.value.exit_code == 2


def test_an_unknown_setting_lists_the_known_ones() -> None:
    with pytest.raises(MetricpressError) as caught:
        check_setting("gross_margn", "1")
    assert "gross_margn" in str(caught.value)
    assert all(name in caught.value.remedy for name in SETTINGS)


def test_a_logo_file_becomes_a_data_uri(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)
    assert check_setting("brand.logo", str(logo)) == PIXEL


def png(width: int, height: int) -> bytes:
    """The first bytes of a PNG of that size."""
    return PNG[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + PNG[24:]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("logo.gif", b"GIF89a", "does not end in"),
        ("logo.png", b"GIF89a", "its content is no PNG"),
        ("logo.jpg", PNG, "its content is no JPEG"),
        ("logo.png", b"\x89PNG" + b"x" * 500_000, "more than 500,000"),
        ("logo.png", png(20_000, 20_000), "20,000 by 20,000 pixels"),
        ("logo.png", png(3000, 50), "60 times as wide as high"),
        ("logo.png", png(10, 400), "0.025 times as wide as high"),
        ("logo.png", png(0, 40), "no area"),
        ("logo.svg", b"<html/>", "no SVG"),
        ("logo.svg", b"<svg viewBox='0 0 2 1'><script>1</script></svg>", "script"),
        ("logo.svg", b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg viewBox='0 0 2 1'/>", "document type"),
        ("logo.svg", b"<svg viewBox='0 0 2 1'><image href='http://example.org/x.png'/></svg>", "outside"),
        ("logo.svg", b"<svg viewBox='0 0 2 1'><style>@import 'x.css';</style></svg>", "outside"),
        ("logo.svg", b"<svg/>", "neither width and height"),
    ],
)
def test_a_logo_that_cannot_be_printed_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MetricpressError, match=why):
        check_setting("brand.logo", str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("wide.png", png(800, 40)),
        ("tall.png", png(40, 200)),
        (
            "logo.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 300 40'><g/></svg>",
        ),
        ("logo.svg", b"<svg width='30mm' height='10mm'><use href='#a'/></svg>"),
        ("logo.jpg", b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x28\x00\x50\x01\x01\x11\x00"),
    ],
)
def test_logos_of_many_shapes_are_taken(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert check_setting("brand.logo", str(path)).startswith("data:image/")


def test_a_logo_of_fifty_megabytes_is_refused_without_repeating_it() -> None:
    with pytest.raises(MetricpressError, match="more than 500,000 bytes") as caught:
        check_setting("brand.logo", "data:image/png;base64," + "A" * 50_000_000)
    assert len(str(caught.value)) < 500


def test_a_target_from_a_file() -> None:
    target = target_from({"metric": "mrr", "target": "50000.50", "valid_from": "2026-01-01"})
    assert (target.metric, target.target, target.valid_from) == ("mrr", Decimal("50000.50"), date(2026, 1, 1))
    assert target.branch_id is None
    assert not target.is_empty


@pytest.mark.parametrize(
    "values",
    [
        {"target": 1},
        {"metric": "mrr", "goal": 1},
        {"metric": "mrr", "target": "a lot"},
        {"metric": "mrr", "target": True},
        {"metric": "mrr", "target": 1, "valid_from": "1st of May"},
    ],
)
def test_bad_targets(values: dict[str, Any]) -> None:
    with pytest.raises(MetricpressError):
        target_from(values)


def test_none_empties_a_field() -> None:
    assert check_number("mrr.target", "none") is None
