"""The environment: defaults, checks, and that no secret shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import place, with_option
from orchestration.warehouse.roles import with_login


def test_defaults() -> None:
    settings = Settings.from_env({})
    assert settings.home == Path.cwd() / ".metricpress"
    assert settings.output_dir == settings.home / "reports"
    assert settings.database_url is None
    assert settings.smtp_url is None


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_env({"METRICPRESS_DATABASE_URL": " "}).database_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METRICPRESS_DATABASE_URL", "mysql://user:geheim@host/db"),
        ("METRICPRESS_DATABASE_URL", "geheim"),
        ("METRICPRESS_DATABASE_URL", "postgresql://user:geheim@host:99999/db"),
        ("METRICPRESS_SMTP_URL", "https://user:geheim@host"),
    ],
)
def test_a_wrong_url_is_named_but_not_shown(name: str, value: str) -> None:
    with pytest.raises(MetricpressError) as caught:
        Settings.from_env({name: value})
    assert name in str(caught.value)
    assert caught.value.remedy
    assert "geheim" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize("value", ["0", "-5", "1441", "five", "2.5"])
def test_minutes_are_whole_and_in_a_day(value: str) -> None:
    with pytest.raises(MetricpressError, match="METRICPRESS_REFRESH_MINUTES"):
        Settings.from_env({"METRICPRESS_REFRESH_MINUTES": value})


def test_reports_are_rendered_on_all_cores_unless_told_otherwise() -> None:
    assert Settings.from_env({}).render_workers == len(os.sched_getaffinity(0))
    assert Settings.from_env({"METRICPRESS_RENDER_WORKERS": "1"}).render_workers == 1
    with pytest.raises(MetricpressError, match="METRICPRESS_RENDER_WORKERS"):
        Settings.from_env({"METRICPRESS_RENDER_WORKERS": "0"})


def test_secrets_do_not_show() -> None:
    settings = Settings.from_env(
        {
            "METRICPRESS_DATABASE_URL": "postgresql://u:geheim@h/d",
            "METRICPRESS_BI_PASSWORD": "geheim",
            "METRICPRESS_SMTP_URL": "smtp://u:geheim@h",
            "STRIPE_API_KEY": "geheim",
            "SLACK_BOT_TOKEN": "geheim",
        }
    )
    assert "geheim" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:p@h/d?options=-c%20role%3Dx"),
        (
            "postgresql://u:p@h/d?sslmode=require",
            "postgresql://u:p@h/d?sslmode=require&options=-c%20role%3Dx",
        ),
        (
            "postgresql://u:p@h/d?options=-c%20jit%3Doff&a=b",
            "postgresql://u:p@h/d?options=-c%20jit%3Doff%20-c%20role%3Dx&a=b",
        ),
    ],
)
def test_options_of_a_url_are_kept(url: str, expected: str) -> None:
    assert with_option(url, "-c role=x") == expected


def test_a_place_shows_neither_user_nor_password() -> None:
    assert place("postgresql://user:geheim@host:5433/sales?sslmode=require") == "host:5433/sales"
    assert place("postgresql://host/sales") == "host:5432/sales"


def test_a_login_is_put_in_place_of_another() -> None:
    url = with_login("postgresql://owner:a%40b@host:5433/sales?sslmode=require", "reader", "p@ss/word")
    assert url == "postgresql://reader:p%40ss%2Fword@host:5433/sales?sslmode=require"


def test_the_outbox_alone_is_a_switch() -> None:
    assert not Settings.from_env({}).outbox_only
    assert Settings.from_env({"METRICPRESS_OUTBOX_ONLY": "1"}).outbox_only
    with pytest.raises(MetricpressError, match="METRICPRESS_OUTBOX_ONLY"):
        Settings.from_env({"METRICPRESS_OUTBOX_ONLY": "yes"})
