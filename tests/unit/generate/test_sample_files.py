"""The shipped files themselves: size, sources, and the calendar derived from the order of a file."""

from __future__ import annotations

import csv
import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = PROJECT / "sample_data"
PUBLISHED = PROJECT.parent / "shared" / "data"
#: File -> words that SOURCES.md owes its publisher.
SOURCES = {
    "charging_sessions.csv.gz": ("Asensio", "CC0 1.0", "10.7910/DVN/NFPQLW"),
    "bank_campaign.csv.gz": ("Moro", "Cortez", "Rita", "2014", "CC BY 4.0"),
    "bank_campaign_days.csv": ("derived by make.py",),
    "ravenstack_accounts.csv": ("River @ Rivalytics", "MIT"),
    "ravenstack_subscriptions.csv.gz": ("River @ Rivalytics", "MIT"),
    "ravenstack_feature_usage.csv.gz": ("River @ Rivalytics", "MIT"),
    "ecb_rates.csv.gz": ("European Central Bank", "attribution"),
}
#: Of other publishers, who do not allow it.
NOT_SHIPPED = ("maven", "anonymous_bank", "unicorn")


def files() -> Iterator[Path]:
    return (path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_data_make", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_at_most_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in files()) <= 10_000_000


def test_every_data_file_has_its_source() -> None:
    text = (FOLDER / "SOURCES.md").read_text()
    data = {path.name for path in files() if path.name.endswith((".csv", ".gz"))} - {"tenants.csv"}
    assert data == set(SOURCES)
    for name, words in SOURCES.items():
        section = next(part for part in text.split("\n## ") if f"`{name}`" in part)
        assert not [word for word in words if word not in section], name


def test_nothing_of_those_who_do_not_allow_it() -> None:
    assert not [path for path in files() for name in NOT_SHIPPED if name in path.name.lower()]


def test_every_select_is_used_and_every_load_has_its_files() -> None:
    loads = tomllib.loads((FOLDER / "loads.toml").read_text())["load"]
    assert {path.name for path in (FOLDER / "select").iterdir()} == {
        load["select"] for load in loads if "select" in load
    }
    assert not [name for load in loads for name in load["files"] if not (FOLDER / name).exists()]


def test_days_without_calls_are_holidays_in_portugal(make: ModuleType) -> None:
    """Outside knowledge that the derived dates never saw: Corpus Christi, Portugal Day, Saint Anthony."""
    with (FOLDER / "bank_campaign_days.csv").open() as file:
        days = {row["call_date"] for row in csv.DictReader(file)}
    assert len(days) == 488
    assert (min(days), max(days)) == ("2008-05-05", "2010-11-26")
    assert not days & {"2008-05-22", "2008-06-10", "2008-06-13"}
    assert {"2008-05-21", "2008-05-23", "2008-06-09", "2008-06-11", "2008-06-12"} <= days


def test_a_day_is_the_first_that_fits_after_the_day_before(make: ModuleType) -> None:
    runs = [("may", "fri"), ("may", "fri"), ("may", "mon"), ("jun", "mon"), ("mar", "tue")]
    calendar = list(make.campaign_calendar([{"month": m, "day_of_week": d} for m, d in runs[:4]]))
    assert [(day["first_row"], day["last_row"], day["call_date"]) for day in calendar] == [
        ("1", "2", "2008-05-02"),
        ("3", "3", "2008-05-05"),
        ("4", "4", "2008-06-02"),
    ]
    with pytest.raises(ValueError, match="row 5: no tue of mar"):
        list(make.campaign_calendar([{"month": m, "day_of_week": d} for m, d in runs]))


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published files are not beside the project")
def test_the_shipped_files_are_made_from_the_published_ones(make: ModuleType) -> None:
    differing = [
        name
        for name, content in make.sample_files(PUBLISHED).items()
        if not make.same_content(FOLDER / name, content)
    ]
    assert not differing
