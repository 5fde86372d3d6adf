"""The audit log: what it is told, by whom, and that no role but the owner of the database can change it.

Every statement of ATTACKS runs as each role that is not the owner, in a session of its own: it is refused,
and the rows are what they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.delivery import subscriptions
from orchestration.delivery.subscriptions import Subscription
from orchestration.settings import Settings
from orchestration.warehouse.audit import changed, mask, read_audit, record_action
from orchestration.warehouse.connection import connect, with_option
from orchestration.warehouse.migrate import migrate
from orchestration.warehouse.roles import with_login
from orchestration.warehouse.tenant_settings import write_settings

Row = dict[str, Any]

INSERT = "insert into reporting.audit_log (action, object_type, object) values ('insert', 'x', 'y')"
NOTHING = "$$begin return null; end$$"
REPLACE = "create or replace function reporting"
ATTACKS = (
    INSERT,
    "copy reporting.audit_log (action, object_type, object) from stdin",
    "update reporting.audit_log set before = null",
    "update only reporting.audit_log set at = at - interval '1 day'",
    "delete from reporting.audit_log",
    "merge into reporting.audit_log as t using (select 1) as x on true when matched then delete",
    "truncate reporting.audit_log",
    "truncate reporting.audit_log restart identity cascade",
    "drop table reporting.audit_log",
    "drop table reporting.audit_log cascade",
    "drop schema reporting cascade",
    "alter table reporting.audit_log disable trigger all",
    "alter table reporting.audit_log disable trigger user",
    "alter table reporting.audit_log disable trigger append_only",
    "alter table reporting.audit_log disable trigger written_by_owner",
    "alter table reporting.audit_log enable replica trigger append_only",
    "alter table reporting.audit_log owner to current_user",
    "alter table reporting.audit_log rename to audit_log_old",
    "alter table reporting.audit_log set schema public",
    "alter table reporting.audit_log drop column before",
    "alter table reporting.audit_log alter column at type date",
    "alter table reporting.audit_log enable row level security",
    "alter schema reporting owner to current_user",
    "alter schema reporting rename to elsewhere",
    "drop trigger append_only on reporting.audit_log",
    "drop trigger audit on reporting.report_subscriptions",
    "alter table reporting.report_subscriptions disable trigger audit",
    "alter table reporting.tenant_settings disable trigger all",
    f"{REPLACE}.refuse_audit_change() returns trigger language plpgsql as {NOTHING}",
    f"{REPLACE}.refuse_audit_row() returns trigger language plpgsql as {NOTHING}",
    f"{REPLACE}.record_audit() returns trigger language plpgsql as {NOTHING}",
    f"{REPLACE}.is_installation_owner() returns boolean language sql as 'select true'",
    f"{REPLACE}.actor() returns text language sql as $$select 'somebody'$$",
    "drop function reporting.refuse_audit_change() cascade",
    "alter function reporting.refuse_audit_change() rename to refuse",
    "alter function reporting.record_audit() security invoker",
    f"create function reporting.mine() returns trigger language plpgsql as {NOTHING}",
    "set session_replication_role = replica",
    "alter role current_user set session_replication_role = replica",
    "set session authorization postgres",
    "create rule none as on insert to reporting.audit_log do instead nothing",
    "create rule none as on insert to reporting.report_subscriptions do instead nothing",
    f"create function pg_temp.none() returns trigger language plpgsql as {NOTHING};"
    " create trigger none before insert on reporting.audit_log for each row execute function pg_temp.none()",
    "create temporary view log as select * from reporting.audit_log; delete from pg_temp.log",
    "create policy none on reporting.audit_log using (false)",
    "create table pg_temp.heir () inherits (reporting.audit_log)",
    "select setval('reporting.audit_log_audit_id_seq', 1)",
    "alter sequence reporting.audit_log_audit_id_seq restart",
    f"grant all on reporting.audit_log to current_user; {INSERT}",
    "alter event trigger metricpress_grants disable",
    "select reporting.record_action('acme', 'update', 'tenant_settings', 'acme', '{}')",
    "create temporary table report_subscriptions (tenant_id text, subscription_id text);"
    " create trigger forge after insert on pg_temp.report_subscriptions"
    " for each row execute function reporting.record_audit('subscription_id')",
    "select lo_import('/etc/passwd')",
)  # fmt: skip
#: What PostgreSQL answers to somebody who may not; the act that is none is refused by a check.
REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.CheckViolation,
    psycopg.errors.UndefinedObject,  # `postgres`, or the event trigger, where there is none
    psycopg.errors.InvalidParameterValue,
)
#: Logins that are not the owner, and the role each takes on.
LOGINS = {
    "metricpress_test_pipeline": "metricpress_pipeline",
    "metricpress_test_bi": "metricpress_bi",
    "metricpress_test_both": None,
    "metricpress_test_creator": None,
}


def login_role(server: str, name: str, options: str = "", member_of: tuple[str, ...] = ()) -> None:
    """A role that may log in, made once for the server of the tests, which several processes may share."""
    with psycopg.connect(server, autocommit=True) as admin:
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            admin.execute(
                sql.SQL("create role {} login password 'pw' {}").format(
                    sql.Identifier(name),
                    sql.SQL(options),  # type: ignore[arg-type]
                )
            )
        for role in member_of:
            if admin.execute("select pg_has_role(%s, %s, 'member')", [name, role]).fetchone() == (True,):
                continue
            admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(name)))


@pytest.fixture(scope="module")
def logins(server: str, module_settings: Settings) -> None:
    """The roles of metricpress were made by the migrations before."""
    both = ("metricpress_pipeline", "metricpress_bi")
    login_role(server, "metricpress_test_pipeline", member_of=both[:1])
    login_role(server, "metricpress_test_bi", member_of=both[1:])
    login_role(server, "metricpress_test_both", member_of=both)
    login_role(server, "metricpress_test_creator", "createrole")


def attack_all(settings: Settings, login: str) -> list[str]:
    """Run every attack in a session of its own; returns those that were not refused."""
    assert settings.database_url is not None
    url = with_option(with_login(settings.database_url, login, "pw"), "-c lock_timeout=5s")
    if LOGINS[login]:
        url = with_option(url, f"-c role={LOGINS[login]}")
    passed = []
    for attack in ATTACKS:
        with psycopg.connect(url, autocommit=True) as conn:
            try:
                if attack.startswith("copy"):
                    with conn.cursor().copy(attack.encode()) as copy:
                        copy.write(b"insert\tx\ty\n")
                else:
                    conn.execute(attack.encode())
            except REFUSALS:
                continue
            passed.append(attack)
    return passed


def log_rows(conn: psycopg.Connection[Any]) -> list[Row]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from reporting.audit_log order by audit_id").fetchall()


@pytest.fixture(scope="module")
def written(module_settings: Settings, logins: None) -> list[Row]:
    """The log with a few rows in it."""
    with connect(module_settings, "pipeline") as conn:
        write_settings(conn, "acme", {"gross_margin": 1})
        write_settings(conn, "acme", {"gross_margin": "0.5"})
    with connect(module_settings) as conn:
        rows = log_rows(conn)
    return rows


@pytest.mark.parametrize("login", LOGINS)
def test_every_attack_is_refused(module_settings: Settings, written: list[Row], login: str) -> None:
    passed = attack_all(module_settings, login)
    with connect(module_settings) as conn:
        assert log_rows(conn) == written
    assert passed == []


@pytest.mark.parametrize("granted", ["insert, update, delete, truncate", "all"])
def test_who_was_granted_too_much_is_refused_by_the_triggers(
    settings: Settings, database: psycopg.Connection[Any], granted: str
) -> None:
    database.execute(f"grant {granted} on reporting.audit_log to metricpress_pipeline".encode())
    write_settings(database, "acme", {"gross_margin": 1})
    database.commit()
    before = log_rows(database)
    database.rollback()  # a truncate would wait for the reader
    for attack in (INSERT, "update reporting.audit_log set before = null", "delete from reporting.audit_log",
                   "truncate reporting.audit_log"):  # fmt: skip
        with connect(settings, "pipeline") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(attack.encode())
    assert log_rows(database) == before


def test_the_owner_of_the_database_may(database: psycopg.Connection[Any]) -> None:
    write_settings(database, "acme", {"gross_margin": 1})
    assert database.execute("delete from reporting.audit_log where tenant_id = 'acme'").rowcount == 1


def test_a_plain_owner_may_and_others_may_not(
    server: str, empty_database: Callable[..., str], tmp_path: Path, logins: None
) -> None:
    """An installation whose owner is no superuser, as on a managed server."""
    login_role(server, "metricpress_test_plain", "createrole", ("metricpress_pipeline", "metricpress_bi"))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("grant metricpress_test_plain to current_user")
    url = with_login(empty_database(owner="metricpress_test_plain"), "metricpress_test_plain", "pw")
    settings = Settings(home=tmp_path, output_dir=tmp_path, database_url=url)
    migrate(settings)
    with connect(settings, "pipeline") as conn:
        write_settings(conn, "acme", {"gross_margin": 1})
    with connect(settings, autocommit=True) as owner:
        assert owner.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (
            False,
        )
        before = log_rows(owner)
        for login in ("metricpress_test_pipeline", "metricpress_test_both"):
            assert attack_all(settings, login) == []
        assert log_rows(owner) == before
        assert owner.execute("delete from reporting.audit_log").rowcount == len(before)
        version = owner.info.server_version
    # Before 16 a role that may create roles can take on any other but a superuser: docs/runbook.md says so.
    if version >= 160000:
        url = with_login(url, "metricpress_test_creator", "pw")
        with psycopg.connect(url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("grant metricpress_test_plain to current_user")


# --- what is told


def test_who_and_with_what(settings: Settings) -> None:
    """The login, the person's name with its spaces and signs, and the program."""
    named = replace(settings, actor=r"Ada O'Neil \ 1")
    with connect(named, "pipeline", application_name="a test") as conn:
        login = conn.execute("select session_user").fetchone()
        record_action(conn, "export", "figures", "summary", tenant="acme", details={"to": "x.csv"})
        (entry,) = read_audit(conn, action="export")
    assert login is not None
    assert (entry.database_user, entry.application) == (rf"{login[0]} (Ada O'Neil \ 1)", "a test")
    assert (entry.tenant_id, entry.object_type, entry.object) == ("acme", "figures", "summary")
    assert [(change.field, change.after) for change in entry.changes] == [("to", "x.csv")]


def test_requests_of_people_are_told(settings: Settings, database: psycopg.Connection[Any]) -> None:
    """On demand, to somebody else, letting go what was held; a dispatcher's own changes are not."""
    database.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
    database.commit()
    with connect(settings, "pipeline", autocommit=True) as conn:
        board = subscriptions.add(
            conn,
            Subscription("acme", "Board", "executive", "daily", ("ceo@acme.example",)),
        )
        (occurrence,) = conn.execute(
            "insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,"
            " report_period_start, report_period_end, due_at, origin)"
            " values ('acme', %s, '2026-11-20', '2026-11-19', '2026-11-19', now(), 'on_demand')"
            " returning occurrence_id",
            [board.subscription_id],
        ).fetchone()  # type: ignore[misc]
        deliveries = [
            conn.execute(
                "insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient,"
                " delivery_status, requested_by) values ('acme', %s, 'email', %s, %s, %s)"
                " returning delivery_id",
                [occurrence, recipient, status, by],
            ).fetchone()[0]  # type: ignore[index]
            for recipient, status, by in (
                ("a@acme.example", "pending", "Ada"), ("b@acme.example", "held", None),
                ("c@acme.example", "pending", None),
            )
        ]  # fmt: skip
        conn.execute("update reporting.report_deliveries set delivery_status = 'ready', attempts = 1")
        found = read_audit(conn, object_="report") + read_audit(conn, object_="delivery")
    told = [(entry.action, entry.object_type, entry.object) for entry in found]
    assert sorted(told) == sorted([
        ("insert", "report_occurrences", str(occurrence)),
        ("insert", "report_deliveries", str(deliveries[0])),
        ("update", "report_deliveries", str(deliveries[1])),
    ])  # fmt: skip


def test_grants_in_the_database_are_told(settings: Settings, database: psycopg.Connection[Any]) -> None:
    """By whoever gives them, where the owner is a superuser; no password of the same statement is kept."""
    first = [entry.name for entry in read_audit(database, action="grant")]
    assert {"metricpress_pipeline", "metricpress_bi"} <= set(first), "those of the migrations"
    if not database.execute("select 1 from pg_event_trigger where evtname = 'metricpress_grants'").fetchone():
        pytest.skip("only a superuser can have every GRANT of the database told")
    database.execute("create table public.one ()")
    database.execute(
        "set log_min_messages = panic; comment on table public.one is 'password geheim';"
        " grant select\n on public.one to metricpress_bi; revoke select on public.one from metricpress_bi"
    )
    told = [entry for entry in read_audit(database, action="grant") if entry.object_type == "table"]
    assert len(told) == 2
    for entry in told:
        statement = {change.field: change.after for change in entry.changes}["statement"]
        assert "grant select on public.one to metricpress_bi" in statement
        assert "geheim" not in statement


def test_commands_tell_their_acts(metricpress: Callable[..., Any], database: psycopg.Connection[Any]) -> None:
    database.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
    database.commit()
    actor = {"METRICPRESS_ACTOR": "Ada"}
    assert metricpress("config", "set", "acme", "gross_margin", "0.5", env=actor).returncode == 0
    assert metricpress("config", "export", "acme", env=actor).returncode == 0
    assert metricpress("subscriptions", "export", env=actor).returncode == 0
    assert metricpress("config", "reporting-currency", "EUR", env=actor).returncode == 0
    assert metricpress("dsn", "--set-password", env=actor | {"METRICPRESS_BI_PASSWORD": "geheim"}).stdout
    told = json.loads(metricpress("audit", "--json", "--limit", "5").stdout)
    assert [(row["action"], row["object_type"], row["object"]) for row in told] == [
        ("grant", "role", "metricpress_bi"),
        ("update", "installation", "*"),
        ("export", "subscriptions", "all tenants"),
        ("export", "settings", "acme"),
        ("insert", "tenant_settings", "acme"),
    ]
    assert all(row["database_user"].endswith("(Ada)") for row in told)
    assert [row["application"] for row in told] == [
        "metricpress dsn", "metricpress config", "metricpress subscriptions", "metricpress config",
        "metricpress config",
    ]  # fmt: skip
    assert "geheim" not in json.dumps(told)


# --- how it reads


def test_only_what_changed_is_shown_and_no_secret() -> None:
    before = {"tenant_id": "acme", "name": "Board", "is_active": True, "recipients": ["https://u:geheim@h/x"],
              "updated_at": "1", "parameters": {"api_key": "geheim"}}  # fmt: skip
    after = before | {"recipients": ["https://h/hooks/0123456789abcdef0123?k=geheim"], "is_active": False,
                      "updated_at": "2", "parameters": {"api_key": "other geheim"}}  # fmt: skip
    told = {change.field: (change.before, change.after) for change in changed(before, after)}
    assert told == {
        "is_active": (True, False),
        "recipients": (["https://***@h/x"], ["https://h/hooks/***?***"]),
        "parameters": ({"api_key": "***"}, {"api_key": "***"}),
    }
    assert "geheim" not in str(changed(None, after))
    assert len(mask("x" * 5000)) < 80


def test_the_printed_log_fits_80_columns(
    metricpress: Callable[..., Any], database: psycopg.Connection[Any], settings: Settings
) -> None:
    database.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
    database.commit()
    recipients = tuple(f"person.{number}@headquarters.acme.example" for number in range(6))
    with connect(settings, "pipeline", application_name="metricpress subscriptions") as conn:
        board = subscriptions.add(conn, Subscription("acme", "Board", "executive", "daily", recipients))
        subscriptions.pause(conn, board)
    told = metricpress("audit", "--tenant", "acme", "--object", "Board")
    assert told.returncode == 0, told.stderr
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert "subscription Board of acme changed" in told.stdout
    assert "is_active: yes -> no" in told.stdout
    assert metricpress("audit", "--since", "2099-01-01").stdout == ""
    assert metricpress("audit", "--action", "peek").returncode == 2
    for kind, lines in (("subscription", 2), ("settings", 0)):
        found = json.loads(metricpress("audit", "--object", kind, "--json").stdout)
        assert len(found) == lines
