"""How the options of a load are written, and what date formats mean."""

import re

import pytest

from orchestration.errors import MetricpressError
from orchestration.sources.files.formats import date_format
from orchestration.sources.files.options import parse_date_formats, parse_pairs, parse_value_map


def test_pairs_split_at_the_first_equals_sign():
    assert parse_pairs("--set", ["notes=a=b", "outcome="]) == {"notes": "a=b", "outcome": ""}


@pytest.mark.parametrize("texts", [["status"], ["=x"], ["a=1", "a=2"]])
def test_pairs_that_cannot_be_meant_are_refused(texts):
    with pytest.raises(MetricpressError, match="--map"):
        parse_pairs("--map", texts)


def test_values_are_mapped_per_column_and_may_hold_colons():
    mapped = parse_value_map(["status:Won=converted", "status:Lost=lost", "source:a:b=c", "outcome:=none"])
    assert mapped == {
        "status": {"Won": "converted", "Lost": "lost"},
        "source": {"a:b": "c"},
        "outcome": {"": "none"},
    }


@pytest.mark.parametrize("text", ["status", "status:Won", ":Won=x"])
def test_a_value_map_of_another_form_is_refused(text):
    with pytest.raises(MetricpressError, match="column:From=to"):
        parse_value_map([text])


def test_a_value_translated_twice_is_refused():
    with pytest.raises(MetricpressError, match="twice"):
        parse_value_map(["status:Won=converted", "status:Won=lost"])


def test_date_formats_are_for_one_column_or_for_all():
    assert parse_date_formats(["%d/%m/%Y", "due_at=epoch"]) == {"*": "%d/%m/%Y", "due_at": "epoch"}


def test_a_date_format_becomes_a_pattern_and_a_template():
    translated = date_format("%d.%m.%Y um %H:%M")
    assert translated.template == 'DD"."MM"."YYYY" um "HH24":"MI'
    assert re.search(translated.pattern, "3.12.2021 um 9:05")
    assert not re.search(translated.pattern, "3.12.2021 um 9:05:00")
    assert not re.search(translated.pattern, "3-12-2021 um 9:05")


@pytest.mark.parametrize("written", ["DD/MM/YYYY", "%d/%Q", "%H:%M%z %d", "%d%"])
def test_a_date_format_nobody_knows_is_refused(written):
    with pytest.raises(MetricpressError, match="--date-format"):
        date_format(written)
