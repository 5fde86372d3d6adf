"""Commands of the house as a user runs them: migrate, db, dsn, tenants, config, doctor; how errors end."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from orchestration.cli.main import COMMANDS
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.roles import set_bi_password, with_login
from orchestration.warehouse.tenants import remove_tenant
from tests.conftest import PROJECT, environment_of

pytestmark = pytest.mark.integration
Database = psycopg.Connection[Any]


def said(result: Any) -> str:
    """What an error says; the command must have ended as asked, without a traceback."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) == 2
    assert lines[1].startswith("remedy: ")
    return str(result.stderr)


def test_help_names_every_command(metricpress: Any) -> None:
    result = metricpress("--help")
    assert result.returncode == 0
    assert all(command in result.stdout for command in COMMANDS)
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


@pytest.mark.parametrize("arguments", [["nope"], ["tenants", "nope"], ["dsn", "--nope"], ["tenants", "add"]])
def test_wrong_usage_exits_2(metricpress: Any, arguments: list[str]) -> None:
    result = metricpress(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_migrate_twice(metricpress: Any, settings: Settings) -> None:
    result = metricpress("migrate")
    assert result.returncode == 0, result.stderr
    assert "is at the newest migration" in result.stdout


# --- tenants


def test_tenants_are_added_listed_and_changed(metricpress: Any) -> None:
    assert metricpress("tenants", "list", "--json").stdout.strip() == "[]"
    added = metricpress("tenants", "add", "acme", "--timezone", "Europe/Lisbon", "--currency", "EUR")
    assert added.returncode == 0, added.stderr
    assert 'there is no tenant "acme"' not in added.stderr
    assert "exists already" in said(metricpress("tenants", "add", "acme"))
    metricpress("tenants", "add", "acme", "--name", "Acme Lda", "--currency", "EUR", "--update")
    assert json.loads(metricpress("tenants", "list", "--json").stdout) == [
        {
            "tenant_id": "acme",
            "name": "Acme Lda",
            "timezone": "UTC",
            "currency": "EUR",
            "week_start": "monday",
        }
    ]


def test_an_unknown_timezone_is_named_with_one_that_is_meant(metricpress: Any) -> None:
    text = said(metricpress("tenants", "add", "acme", "--timezone", "Europe/Lisbn"))
    assert 'tenant "acme"' in text
    assert "Europe/Lisbon" in text


def test_a_currency_has_three_capitals(metricpress: Any) -> None:
    assert 'the currency "eur"' in said(metricpress("tenants", "add", "acme", "--currency", "eur"))


def test_a_removed_tenant_is_gone_everywhere_and_the_other_is_whole(
    settings: Settings, database: Database
) -> None:
    database.execute("create table marts.example (tenant_id text, x integer)")
    for tenant in ("gone", "kept"):
        database.execute("insert into raw.tenants (tenant_id, name) values (%s, %s)", [tenant, tenant])
        database.execute(
            "insert into raw.sessions (tenant_id, session_id, user_id, started_at)"
            " values (%s, '1', '1', now())",
            [tenant],
        )
        database.execute("insert into marts.example values (%s, 1)", [tenant])
        database.execute("insert into reporting.tenant_settings (tenant_id) values (%s)", [tenant])
        database.execute(
            """
            with subscription as (
                insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients)
                values (%(t)s, 'n', 'executive', 'daily', '{a@b.c}') returning tenant_id, subscription_id
            ), occurrence as (
                insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,
                    report_period_start, report_period_end, due_at)
                select tenant_id, subscription_id, '2026-05-01', '2026-04-30', '2026-04-30', now()
                from subscription returning tenant_id, occurrence_id
            )
            insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient)
            select tenant_id, occurrence_id, 'email', 'a@b.c' from occurrence
            """,
            {"t": tenant},
        )
    removed = remove_tenant(database, "gone")
    assert removed["raw.sessions"] == removed["marts.example"] == removed["reporting.report_deliveries"] == 1
    tables = database.execute(
        """
        select format('%I.%I', table_schema, table_name) from information_schema.columns
        where column_name = 'tenant_id' and table_schema in ('raw', 'build', 'reporting', 'marts')
        """
    ).fetchall()
    left = {
        table
        for (table,) in tables
        if database.execute(f"select from {table} where tenant_id = 'gone'").fetchone() is not None
    }
    assert left == {"raw.changes", "reporting.audit_log"}
    note = database.execute("select table_name, op from raw.changes where tenant_id = 'gone'").fetchall()
    assert note == [("tenants", "delete")], "the next build is told"
    for table in (
        "raw.sessions",
        "marts.example",
        "reporting.report_deliveries",
        "reporting.tenant_settings",
    ):
        assert database.execute(f"select count(*) from {table}").fetchone() == (1,)


def test_removing_asks_first(metricpress: Any) -> None:
    metricpress("tenants", "add", "acme")
    assert metricpress("tenants", "remove", "acme", stdin="n\n").returncode == 1
    assert "acme" in metricpress("tenants", "list").stdout
    assert metricpress("tenants", "remove", "acme", "--yes").returncode == 0
    assert 'no tenant "acme"' in said(metricpress("tenants", "remove", "acme", "--yes"))


# --- config


def test_target_is_meant_for_a_grain(metricpress: Any) -> None:
    """A goal of the month is none of the day: both stand side by side and are changed apart."""
    metricpress("tenants", "add", "acme")
    for value, options in (("90000", ["--grain", "month"]), ("3000", ["--grain", "day"]), ("1", [])):
        set_target = metricpress("config", "set", "acme", "new_mrr.target", value, *options)
        assert set_target.returncode == 0, set_target.stderr
    metricpress("config", "set", "acme", "new_mrr.target", "none")
    targets = json.loads(metricpress("config", "get", "acme", "--json").stdout)["targets"]
    assert [(target["grain"], target["target"]) for target in targets] == [("day", 3000), ("month", 90000)]
    refused = metricpress("config", "set", "acme", "new_mrr.target", "1", "--grain", "year")
    assert refused.returncode == 2
    assert "day, week, month" in refused.stderr


def test_config_round_trip(metricpress: Any, tmp_path: Path) -> None:
    metricpress("tenants", "add", "acme")
    for key, value in (
        ("gross_margin", "0.8"),
        ("activation_events", "upload,report"),
        ("allowed_recipient_domains", "example.com"),
        ("brand.footer", "Acme: Lda"),
        ("mrr.target", "50000.10"),
        ("mrr.good_from", "45000"),
        ("churn_rate.warning_from", "0.05"),
    ):
        result = metricpress("config", "set", "acme", key, value)
        assert result.returncode == 0, result.stderr
    before = json.loads(metricpress("config", "get", "acme", "--json").stdout)
    assert before["settings"]["gross_margin"] == 0.8
    assert [target["metric"] for target in before["targets"]] == ["churn_rate", "mrr"]
    exported = metricpress("config", "export", "acme").stdout
    assert "50000.10" in exported, "not a digit is lost"
    for key in ("gross_margin", "activation_events", "allowed_recipient_domains", "brand.footer"):
        metricpress("config", "set", "acme", key, "default")
    for key in ("mrr.target", "mrr.good_from", "churn_rate.warning_from"):
        metricpress("config", "set", "acme", key, "none")
    assert metricpress("config", "get", "acme", "gross_margin").stdout == "1\n"
    assert json.loads(metricpress("config", "get", "acme", "--json").stdout)["targets"] == []
    file = tmp_path / "config.yaml"
    file.write_text(exported)
    assert metricpress("config", "import", str(file)).returncode == 0
    assert json.loads(metricpress("config", "get", "acme", "--json").stdout) == before


def test_a_pale_brand_colour_is_told_to_be_darkened(metricpress: Any, tmp_path: Path) -> None:
    metricpress("tenants", "add", "acme")
    pale = metricpress("config", "set", "acme", "brand.colours.primary", "#FFF5B1")
    assert pale.returncode == 0
    assert "darkened, as #" in pale.stderr
    dark = metricpress("config", "set", "acme", "brand.colours.accent", "#000000")
    assert "darkened" not in dark.stderr
    refused = metricpress("config", "set", "acme", "brand.colours.accent", "yellow")
    assert refused.returncode == 2
    assert "a colour such as" in refused.stderr
    file = tmp_path / "config.yaml"
    file.write_text(metricpress("config", "export", "acme").stdout)
    assert "darkened" in metricpress("config", "import", str(file)).stderr


def test_an_import_with_an_error_changes_nothing(metricpress: Any, tmp_path: Path) -> None:
    metricpress("tenants", "add", "acme")
    file = tmp_path / "config.yaml"
    file.write_text("acme: {settings: {gross_margin: 0.5}}\nother: {settings: {gross_margin: 0.5}}\n")
    assert 'no tenant "other"' in said(metricpress("config", "import", str(file)))
    file.write_text("acme: {settings: {gross_margin: 0.5, churn_on: later}}\n")
    assert 'acme: churn_on cannot be "later"' in said(metricpress("config", "import", str(file)))
    assert metricpress("config", "get", "acme", "gross_margin").stdout == "1\n"


@pytest.mark.parametrize(
    "text", ["", "- acme", "acme: [1]", "acme: {targets: {mrr: 1}}", "acme: {setings: {}}"]
)
def test_a_file_of_another_form_is_refused(metricpress: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    said(metricpress("config", "import", str(file)))


def test_metrics_and_branches_are_known(metricpress: Any, database: Database) -> None:
    metricpress("tenants", "add", "acme")
    database.execute("create table marts.metric_catalogue as select 'mrr' as metric")
    database.commit()
    assert "Did you mean mrr?" in said(metricpress("config", "set", "acme", "mrrr.target", "1"))
    text = said(metricpress("config", "set", "acme", "mrr.target", "1", "--branch", "north"))
    assert 'no branch "north"' in text
    assert metricpress("config", "set", "acme", "mrr.target", "1").returncode == 0


# --- dsn


def test_dsn_of_a_database_by_url(metricpress: Any, settings: Settings) -> None:
    with connect(settings, "pipeline") as pipeline:
        pipeline.execute("create table marts.example as select 1 as one")
    assert "METRICPRESS_BI_PASSWORD" in said(metricpress("dsn"))
    password = {"METRICPRESS_BI_PASSWORD": "p@ss word"}
    given = metricpress("dsn", "--set-password", env=password)
    assert given.returncode == 0, given.stderr
    url = metricpress("dsn", env=password).stdout.strip()
    assert urlsplit(url).username == "metricpress_bi"
    with connect(replace(settings, database_url=url)) as reader:
        assert reader.execute("select current_user").fetchone() == ("metricpress_bi",)
        assert reader.execute("select one from marts.example").fetchone() == (1,)
    assert metricpress("dsn", "--admin").stdout.strip() == settings.database_url


def test_the_password_of_bi_reaches_the_server_as_a_verifier_only(settings: Settings) -> None:
    with connect(settings) as connection:
        sent: list[str] = []
        execute = connection.execute

        def listen(query: Any, *rest: Any) -> Any:
            sent.append(query if isinstance(query, str) else query.as_string(connection))
            return execute(query, *rest)

        connection.execute = listen  # type: ignore[method-assign]
        set_bi_password(connection, "geheim")
    assert "SCRAM-SHA-256$" in sent[0]
    assert "geheim" not in sent[0]


# --- errors


def test_the_command_itself(settings: Settings) -> None:
    """Once in a process of its own: the entry point and the exit code."""
    result = subprocess.run(
        [sys.executable, "-m", "orchestration.cli.main", "config", "get", "nobody"],
        cwd=PROJECT,
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'no tenant "nobody"' in said(result)


def test_a_fault_of_the_program_shows_no_traceback(metricpress: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("orchestration.warehouse.tenants.all_tenants", fail)
    result = metricpress("tenants", "list")
    assert result.returncode == 70
    assert result.stderr.startswith(
        "error: ZeroDivisionError: by zero\nremedy: This is a fault in metricpress"
    )
    with pytest.raises(ZeroDivisionError):
        metricpress("tenants", "list", env={"METRICPRESS_DEBUG": "1"})


def test_a_database_that_does_not_answer(metricpress: Any) -> None:
    url = "postgresql://user:geheim@127.0.0.1:9/sales"
    text = said(metricpress("tenants", "list", env={"METRICPRESS_DATABASE_URL": url}))
    assert "cannot reach the database at 127.0.0.1:9/sales" in text
    assert "geheim" not in text


def test_a_database_that_was_never_migrated(metricpress: Any, empty_database: Any) -> None:
    result = metricpress("tenants", "list", env={"METRICPRESS_DATABASE_URL": empty_database()})
    assert "metricpress migrate" in said(result)


def test_a_database_of_an_older_schema_is_to_be_migrated(metricpress: Any, database: Database) -> None:
    """PostgreSQL would rather guess at another column."""
    database.execute("alter table reporting.report_templates rename deleted_at to deleted_on")
    database.commit()
    assert "remedy: Run: metricpress migrate" in said(metricpress("templates", "list"))


@pytest.mark.parametrize(("content", "told"), [(None, "No such file"), ("{", "is no JSON"), ("[]", "object")])
def test_a_file_that_templates_cannot_use_is_named_with_a_remedy(
    metricpress: Any, tmp_path: Path, content: str | None, told: str
) -> None:
    file, schema = tmp_path / "a.html.j2", tmp_path / "schema.json"
    file.write_text("x")
    if content is not None:
        schema.write_text(content)
    options = ("--report", "executive", "--tenant", "acme", "--file", str(file), "--schema", str(schema))
    message = said(metricpress("templates", "add", "ours", *options))
    assert told in message
    assert "schema.json" in message


def test_db_leaves_a_database_by_url_alone(metricpress: Any) -> None:
    assert "METRICPRESS_DATABASE_URL is set" in said(metricpress("db", "stop"))
    status = json.loads(metricpress("db", "status", "--json").stdout)
    assert status["migration"] == status["newest_migration"]


# --- doctor


def test_doctor_names_what_is_broken_and_exits_1(metricpress: Any) -> None:
    closed = {"METRICPRESS_SMTP_URL": "smtp://user:geheim@127.0.0.1:9"}
    result = metricpress("doctor", "--json", env=closed)
    assert result.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert findings["SMTP"]["state"] == "broken"
    assert findings["SMTP"]["remedy"]
    assert "geheim" not in result.stdout
    assert findings["Python"]["state"] == findings["database"]["state"] == "fine"
    assert findings["migrations"]["state"] == "fine"
    assert {"Pango", "dbt manifest", "output"} <= set(findings)


def test_doctor_on_a_database_that_was_never_migrated(metricpress: Any, empty_database: Any) -> None:
    result = metricpress("doctor", env={"METRICPRESS_DATABASE_URL": empty_database()})
    assert result.returncode == 1
    assert "Run: metricpress migrate" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_doctor_says_whether_mails_tell_how_to_unsubscribe(metricpress: Any) -> None:
    def finding(**variables: str) -> dict[str, str]:
        env = {f"METRICPRESS_{name.upper()}": value for name, value in variables.items()}
        result = metricpress("doctor", "--json", env=env)
        found = {one["check"]: one for one in json.loads(result.stdout)}
        return dict(found.get("unsubscribe") or found["mail"])

    assert finding()["remedy"].startswith("Set METRICPRESS_SIGNING_KEY and METRICPRESS_UNSUBSCRIBE_ADDRESS;")
    half = finding(signing_key="k" * 40)
    assert (half["state"], half["remedy"][:37]) == ("remark", "Set METRICPRESS_UNSUBSCRIBE_ADDRESS; ")
    whole = finding(signing_key="k" * 40, unsubscribe_address="leave@mp.example")
    assert (whole["state"], whole["detail"]) == ("fine", "by mail to leave@mp.example")
    assert finding(mail_from="Reports")["state"] == "broken"


def test_the_admin_url_is_that_of_another_login(settings: Settings) -> None:
    assert settings.database_url is not None
    assert urlsplit(with_login(settings.database_url, "a", "b")).username == "a"
