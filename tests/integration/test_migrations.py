"""The migrated database: repeatable, by plain owners too; roles, audit log, what a build is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.migrate import migrate, migration_state
from orchestration.warehouse.roles import with_login
from orchestration.warehouse.tenant_settings import SETTINGS, read_settings, write_settings

pytestmark = pytest.mark.integration
Database = psycopg.Connection[Any]
REPORTING = (
    "tenant_settings",
    "metric_targets",
    "report_templates",
    "report_subscriptions",
    "report_occurrences",
    "report_deliveries",
    "check_results",
    "suppressions",
    "published_figures",
    "restatements",
    "restatement_causes",
    "audit_log",
)


def settings_for(url: str, home: Path) -> Settings:
    return Settings(home=home, output_dir=home, database_url=url)


def test_migrating_again_does_nothing(settings: Settings) -> None:
    before = migrate(settings)
    assert before.is_newest
    assert before.current == before.newest


def test_processes_that_migrate_at_once(empty_database: Callable[..., str], tmp_path: Path) -> None:
    settings = settings_for(empty_database(), tmp_path)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(settings)
        except BaseException as error:  # told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with connect(settings) as connection:
        assert migration_state(connection).is_newest


@pytest.fixture
def plain_owner(server: str) -> Iterator[str]:
    """A login that is no superuser and may create roles."""
    name, password = "metricpress_test_owner", "pw"
    with psycopg.connect(server, autocommit=True) as admin:
        roles = [row[0] for row in admin.execute("select rolname from pg_roles").fetchall()]
        if name not in roles:
            admin.execute(
                sql.SQL("create role {} login createrole password {}").format(
                    sql.Identifier(name), sql.Literal(password)
                )
            )
        for role in ("metricpress_pipeline", "metricpress_bi"):
            if role in roles:
                admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(name)))
        if not admin.execute("select pg_has_role(%s, 'member')", [name]).fetchone()[0]:  # type: ignore[index]
            admin.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(name)))
    yield name


def test_a_plain_database_owner_migrates(
    template: str, plain_owner: str, empty_database: Callable[..., str], tmp_path: Path
) -> None:
    url = with_login(empty_database(owner=plain_owner), plain_owner, "pw")
    settings = settings_for(url, tmp_path)
    migrate(settings)
    with connect(settings) as connection:
        superuser = connection.execute(
            "select rolsuper from pg_roles where rolname = current_user"
        ).fetchone()
        assert superuser == (False,)
        connection.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
    with connect(settings, "pipeline") as connection:
        connection.execute("create table marts.example as select 1 as one")
    with connect(settings, "bi") as connection:
        assert connection.execute("select one from marts.example").fetchone() == (1,)


def test_a_user_without_rights_is_told_what_to_do(
    server: str, empty_database: Callable[..., str], tmp_path: Path
) -> None:
    url = with_login(empty_database(), "metricpress_test_guest", "pw")
    with psycopg.connect(server, autocommit=True) as admin:
        known = admin.execute("select from pg_roles where rolname = 'metricpress_test_guest'").fetchone()
        if known is None:
            admin.execute("create role metricpress_test_guest login password 'pw'")
    with pytest.raises(MetricpressError) as caught:
        migrate(settings_for(url, tmp_path))
    assert "permission denied" in str(caught.value)
    assert caught.value.remedy


def test_a_database_newer_than_the_program_is_refused(settings: Settings, database: Database) -> None:
    database.execute("update public.metricpress_migrations set version_num = '9999'")
    database.commit()
    with pytest.raises(MetricpressError, match="at migration 9999"):
        migrate(settings)


@pytest.mark.parametrize("table", REPORTING)
def test_every_reporting_table_has_a_tenant(database: Database, table: str) -> None:
    columns = database.execute(
        "select column_name from information_schema.columns"
        " where table_schema = 'reporting' and table_name = %s",
        [table],
    ).fetchall()
    names = {row[0] for row in columns}
    assert "tenant_id" in names
    assert table == "audit_log" or {"created_at", "updated_at", "created_by"} <= names


def test_provenance_is_kept_by_the_database(database: Database) -> None:
    database.execute("set metricpress.actor = 'Ada'")
    database.execute("insert into reporting.tenant_settings (tenant_id) values ('acme')")
    database.execute(
        "update reporting.tenant_settings"
        " set gross_margin = 0.5, created_by = 'me', created_at = '2000-01-01'"
    )
    row = database.execute(
        "select created_by, created_at > '2020-01-01', updated_at > created_at from reporting.tenant_settings"
    ).fetchone()
    user = database.execute("select session_user").fetchone()
    assert user is not None
    assert row == (f"{user[0]} (Ada)", True, True)


def test_defaults_in_python_equal_those_of_the_database(database: Database) -> None:
    database.execute("insert into reporting.tenant_settings (tenant_id) values ('acme')")
    assert read_settings(database, "acme") == {name: setting.default for name, setting in SETTINGS.items()}
    assert read_settings(database, "nobody") == read_settings(database, "acme")


def test_brand_settings_share_one_column(database: Database) -> None:
    write_settings(database, "acme", {"brand.colours.primary": "#112233", "brand.footer": "Acme"})
    write_settings(database, "acme", {"brand.footer": None, "brand.colours.accent": "#445566"})
    brand = database.execute("select brand from reporting.tenant_settings").fetchone()
    assert brand == ({"colours": {"primary": "#112233", "accent": "#445566"}},)


# --- what a build sees


def changes(database: Database) -> list[tuple[str, str]]:
    """(table, operation) recorded for tenant acme, or all tenants, since the last call."""
    rows = database.execute("select table_name, op from raw.changes order by change_id").fetchall()
    database.execute("delete from raw.changes")
    return rows


def test_settings_and_targets_are_recorded_for_the_next_build(database: Database) -> None:
    write_settings(database, "acme", {"gross_margin": 1})
    assert changes(database) == [("tenant_settings", "insert")]
    write_settings(database, "acme", {"churn_on": "intent"})
    assert changes(database) == [("tenant_settings", "update")]
    write_settings(database, "acme", {"churn_on": "intent"})
    assert changes(database) == [], "nothing changed"
    write_settings(database, "acme", {"brand.footer": "Acme", "locale": "de", "retention_days": 30})
    assert changes(database) == [], "no figure depends on these"
    write_settings(database, "acme", {"clock_stops_at": datetime(2024, 1, 1, tzinfo=UTC)})
    assert changes(database) == [("tenant_settings", "update")]
    database.execute(
        "insert into reporting.metric_targets (tenant_id, metric, target) values ('acme', 'mrr', 1)"
    )
    database.execute("update reporting.metric_targets set target = 2")
    database.execute("delete from reporting.metric_targets")
    assert changes(database) == [("metric_targets", op) for op in ("insert", "update", "delete")]
    database.execute("delete from reporting.tenant_settings")
    assert changes(database) == [("tenant_settings", "delete")]


# --- vocabularies


@pytest.mark.parametrize(
    "statement",
    [
        "insert into reporting.tenant_settings (tenant_id, gross_margin) values ('a', 80)",
        "insert into reporting.tenant_settings (tenant_id, churn_on) values ('a', 'later')",
        "insert into reporting.tenant_settings (tenant_id, retention_cohorts) values ('a', '{visit}')",
        "insert into reporting.tenant_settings (tenant_id, brand) values ('a', '[]')",
        "insert into reporting.metric_targets (tenant_id, metric) values ('a', 'mrr')",
        "insert into reporting.metric_targets (tenant_id, metric, scope, target)"
        " values ('a', 'mrr', 'branch', 1)",
        "insert into reporting.report_templates"
        " (tenant_id, name, report_type, template_content, template_type)"
        " values ('a', 'n', 'executive', '', 'docx')",
        "insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients)"
        " values ('a', 'n', 'executive', 'hourly', '{x}')",
        "insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients)"
        " values ('a', 'n', 'executive', 'daily', '{}')",
        "insert into reporting.report_subscriptions"
        " (tenant_id, name, report, frequency, recipients, timezone)"
        " values ('a', 'n', 'executive', 'daily', '{x}', 'Mars/Olympus')",
        "insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients, formats)"
        " values ('a', 'n', 'executive', 'daily', '{x}', '{docx}')",
        "insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients,"
        " delivery_days) values ('a', 'n', 'executive', 'monthly', '{x}', '{monday}')",
        "insert into reporting.suppressions (tenant_id, recipient, reason) values ('a', 'A@b.c', 'bounced')",
        "insert into reporting.check_results (tenant_id, build_id, mart, check_name, severity, failed_rows)"
        " values ('a', gen_random_uuid(), 'm', 'c', 'fatal', 1)",
    ],
)
def test_values_outside_their_vocabulary_are_refused(database: Database, statement: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute(statement)


def subscription(database: Database, tenant: str, **columns: Any) -> Any:
    row = {
        "tenant_id": tenant,
        "name": "n",
        "report": "executive",
        "frequency": "daily",
        "recipients": ["a@b.c"],
    }
    row |= columns
    statement = sql.SQL(
        "insert into reporting.report_subscriptions ({}) values ({}) returning subscription_id"
    )
    names = sql.SQL(", ").join(sql.Identifier(name) for name in row)
    places = sql.SQL(", ").join(sql.Placeholder() for _ in row)
    found = database.execute(statement.format(names, places), list(row.values())).fetchone()
    assert found is not None
    return found[0]


def test_one_scheduled_occurrence_a_day(database: Database) -> None:
    key = subscription(database, "acme")
    insert = (
        "insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,"
        " report_period_start, report_period_end, due_at, origin)"
        " values ('acme', %s, '2026-05-01', '2026-04-30', '2026-04-30', now(), %s)"
    )
    database.execute(insert, [key, "schedule"])
    database.execute(insert, [key, "on_demand"])
    database.execute(insert, [key, "on_demand"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute(insert, [key, "schedule"])


def template_of(database: Database, tenant: str | None, name: str, *, public: bool = False) -> Any:
    found = database.execute(
        "insert into reporting.report_templates (tenant_id, name, report_type, template_content, is_public)"
        " values (%s, %s, 'executive', 'one', %s) returning template_id",
        [tenant, name, public],
    ).fetchone()
    assert found is not None
    return found[0]


def test_a_template_keeps_its_versions(database: Database) -> None:
    key = template_of(database, "acme", "mine")
    database.execute("update reporting.report_templates set description = 'no new version'")
    database.execute("update reporting.report_templates set template_content = 'two', version = 7")
    assert database.execute("select version from reporting.report_templates").fetchone() == (2,)
    kept = database.execute(
        "select version, template_content from reporting.report_template_versions where template_id = %s"
        " order by version",
        [key],
    ).fetchall()
    assert kept == [(1, "one"), (2, "two")]


def test_a_tenant_uses_its_own_and_public_templates(database: Database) -> None:
    private = template_of(database, "acme", "mine")
    public = template_of(database, None, "ours", public=True)
    subscription(database, "acme", name="a", template_id=private)
    subscription(database, "other", name="b", template_id=public)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match='tenant "other" has no template'):
        subscription(database, "other", name="c", template_id=private)


def test_only_the_owner_offers_a_template_to_all(settings: Settings) -> None:
    with connect(settings, "pipeline") as connection:
        template_of(connection, "acme", "mine")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only the owner of the installation"):
            template_of(connection, "acme", "ours", public=True)


# --- roles


def test_changes_are_audited_with_before_and_after(settings: Settings, database: Database) -> None:
    with connect(settings, "pipeline", application_name="a test") as pipeline:
        write_settings(pipeline, "acme", {"gross_margin": 1})
        write_settings(pipeline, "acme", {"gross_margin": "0.5"})
        write_settings(pipeline, "acme", {"gross_margin": "0.5"})
        pipeline.execute("delete from reporting.tenant_settings")
    rows = database.execute(
        "select tenant_id, action, object_type, object, before ->> 'gross_margin', after ->> 'gross_margin',"
        " application from reporting.audit_log where tenant_id = 'acme' order by audit_id"
    ).fetchall()
    head = ("tenant_settings", "acme")
    assert rows == [
        ("acme", "insert", *head, None, "1", "a test"),
        ("acme", "update", *head, "1", "0.5", "a test"),
        ("acme", "delete", *head, "0.5", None, "a test"),
    ]


@pytest.mark.parametrize("schema", ["raw", "build", "reporting", "staging", "intermediate", "checks"])
def test_bi_sees_the_marts_only(settings: Settings, schema: str) -> None:
    with connect(settings, "bi") as connection:
        row = connection.execute("select has_schema_privilege(%s, 'usage')", [schema]).fetchone()
    assert row == (False,)


def test_bi_reads_marts_made_later_and_writes_nothing(settings: Settings) -> None:
    with connect(settings, "pipeline") as pipeline:
        pipeline.execute("create table marts.example as select 1 as one")
        pipeline.execute("create view marts.seen as select * from marts.example")
    with connect(settings, "bi", autocommit=True) as reader:
        assert reader.execute("select one from marts.seen").fetchone() == (1,)
        for statement in ("insert into marts.example values (2)", "create table marts.mine (x int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)


def test_pipeline_loads_builds_and_delivers(settings: Settings) -> None:
    with connect(settings, "pipeline") as pipeline:
        pipeline.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
        pipeline.execute("update raw.tenants set name = 'Acme Ltd'")
        pipeline.execute("insert into build.builds (as_of) values (now())")
        pipeline.execute("truncate build.changed_days")
        subscription(pipeline, "acme")
        pipeline.execute("create temporary table staged (x int)")
        pipeline.execute("delete from raw.changes")


def test_roles_by_url_say_what_is_missing(empty_database: Callable[..., str], tmp_path: Path) -> None:
    settings = settings_for(empty_database(), tmp_path)
    name = urlsplit(settings.database_url or "").path.lstrip("/")
    with connect(settings) as connection:
        assert migration_state(connection).current is None
    missing = settings_for((settings.database_url or "").replace(name, name + "_not"), tmp_path)
    with pytest.raises(MetricpressError, match="does not exist"):
        connect(missing)
    closed = settings_for("postgresql://u:geheim@127.0.0.1:9/d", tmp_path)
    with pytest.raises(MetricpressError, match=r"cannot reach the database at 127\.0\.0\.1:9/d") as caught:
        connect(closed)
    assert "geheim" not in str(caught.value)
