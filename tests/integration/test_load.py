"""`load` on a real PostgreSQL: what goes in, what is refused and why, and what a second load leaves alone."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import threading
import time
from datetime import UTC, datetime

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.errors import MetricpressError
from orchestration.sources.files import load as module
from orchestration.sources.files.direct import attempt
from orchestration.sources.files.load import load
from orchestration.sources.files.options import LoadOptions

pytestmark = pytest.mark.integration

ACME = LoadOptions(tenant="acme")
SESSIONS = "session_id,user_id,started_at,duration_seconds\n"


TENANTS = (
    "insert into raw.tenants (tenant_id, name, timezone) values"
    " ('acme', 'Acme', 'Europe/Lisbon'), ('zen', 'Zen', 'Asia/Tokyo')"
)


@pytest.fixture
def warehouse(module_database):
    """Two tenants in a transaction that is undone after the test."""
    module_database.execute(TENANTS)
    yield module_database
    module_database.rollback()


@pytest.fixture
def write(tmp_path):
    numbers = itertools.count(1)

    def write(content, name=None):
        path = tmp_path / (name or f"file{next(numbers)}.csv")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rows(connection, query, *params):
    return connection.execute(query, params or None).fetchall()


def counts(result):
    return (result.read, result.new, result.changed, result.unchanged, result.rejected)


def reasons(connection):
    return rows(
        connection,
        "select line_number, column_name, value, reason from raw.rejected_rows order by rejected_id",
    )


def content(connection, table):
    """All rows of a raw table without the moment of loading."""
    query = f"select to_jsonb(r) - 'loaded_at' from raw.{table} as r order by r::text"
    return sorted(json.dumps(row[0], sort_keys=True) for row in rows(connection, query))


def test_a_second_load_of_the_same_file_changes_nothing(warehouse, write):
    path = write(SESSIONS + "s1,u1,2026-03-01T10:00:00Z,60\ns2,u2,2026-03-01T11:00:00Z,\n")
    assert counts(load(warehouse, "sessions", [path], ACME)) == (2, 2, 0, 0, 0)
    before = rows(warehouse, "select * from raw.sessions order by session_id")
    warehouse.execute("delete from raw.changes")
    assert counts(load(warehouse, "sessions", [path], ACME)) == (2, 0, 0, 2, 0)
    assert rows(warehouse, "select * from raw.sessions order by session_id") == before
    assert rows(warehouse, "select * from raw.changes") == []


def test_only_the_row_that_differs_is_touched_and_its_days_are_recorded(warehouse, write):
    load(warehouse, "sessions", [write(SESSIONS + "s1,u1,2026-03-01,60\ns2,u2,2026-03-01,90\n")], ACME)
    before = dict(rows(warehouse, "select session_id, loaded_at from raw.sessions"))
    warehouse.execute("delete from raw.changes")
    changed = write(SESSIONS + "s1,u1,2026-03-05,60\ns2,u2,2026-03-01,90\ns3,u3,2026-03-09,1\n")
    assert counts(load(warehouse, "sessions", [changed], ACME)) == (3, 1, 1, 1, 0)
    after = dict(rows(warehouse, "select session_id, loaded_at from raw.sessions"))
    assert after["s2"] == before["s2"]
    assert after["s1"] > before["s1"]
    days = rows(warehouse, "select op, date_from::text from raw.changes order by change_id, date_from")
    assert sorted(days) == [("insert", "2026-03-09"), ("update", "2026-03-01"), ("update", "2026-03-05")]


def test_each_breach_is_refused_with_line_column_value_and_reason(warehouse, write):
    path = write(
        "call_id,direction,status,started_at,duration_seconds,notes\n"
        'c1,inbound,completed,2026-03-01 10:00,10,"two\nlines"\n'
        "c2,inbound,completed,2026-02-30 10:00,10,\n"
        "c3,sideways,completed,2026-03-01,10,\n"
        "c4,inbound,answered,2026-03-01,10,\n"
        ",inbound,missed,2026-03-01,10,\n"
        "c6,inbound,missed,,10,\n"
        "c7,inbound,missed,0014-03-01,10,\n"
        "c8,inbound,missed,2026-03-01,ten,\n"
        "c9,inbound,missed,2026-03-01,NaN,\n"
        "c10,inbound,missed,3/4/2026,10,\n"
        "c11,inbound,missed,today,10,\n"
        "c12,inbound,missed\n"
        "c1,outbound,missed,2026-03-01,10,\n"
        "c14,outbound,missed,infinity,10,\n"
        f"{'x' * 3000},outbound,missed,2026-03-01,10,\n"
        "c16,inbound,failed,2026-03-01,0.5,fine\n"
    )
    result = load(warehouse, "calls", [path], ACME)
    assert counts(result) == (16, 2, 0, 0, 14)
    assert result.exit_code == 3
    outside = "lies outside 1900-01-01 to 2200-01-01"
    assert sorted(reasons(warehouse)) == [
        (4, "started_at", "2026-02-30 10:00", "is not a moment PostgreSQL can read"),
        (5, "direction", "sideways", "is not one of inbound, outbound"),
        (6, "status", "answered", "is not one of completed, missed, failed"),
        (7, "call_id", None, "is required and has no value"),
        (8, "started_at", None, "is required and has no value"),
        (9, "started_at", "0014-03-01", outside),
        (10, "duration_seconds", "ten", "is not a number"),
        (11, "duration_seconds", "NaN", "is not a number"),
        (12, "started_at", "3/4/2026", "can be read with day or month first: give --date-format"),
        (13, "started_at", "today", "is not a moment PostgreSQL can read"),
        (14, None, None, "has 3 fields, the header names 6"),
        (15, "call_id", "c1", f"came before with other content, at {path}:2"),
        (16, "started_at", "infinity", outside),
        (17, "call_id", "x" * 3000, "is longer than 1,000 bytes"),
    ]
    assert [str(reason).partition(":")[2] for reason in result.reasons[:2]] == [
        '4 started_at "2026-02-30 10:00" is not a moment PostgreSQL can read',
        '5 direction "sideways" is not one of inbound, outbound',
    ]
    (kept,) = rows(
        warehouse, "select row_content, tenant_id, file_name from raw.rejected_rows where line_number = 5"
    )
    assert kept[0]["direction"] == "sideways"
    assert kept[1:] == ("acme", str(path))
    load_row = rows(warehouse, "select rows_read, rows_new, rows_rejected, tenant_id, files from raw.loads")
    assert load_row == [(16, 2, 14, "acme", [str(path)])]


def test_rows_of_unknown_tenants_are_refused_and_an_unknown_tenant_option_is_an_error(warehouse, write):
    path = write("tenant_id," + SESSIONS + "acme,s1,u1,2026-03-01,1\nnobody,s1,u1,2026-03-01,1\n")
    assert counts(load(warehouse, "sessions", [path])) == (2, 1, 0, 0, 1)
    assert reasons(warehouse) == [
        (3, "tenant_id", "nobody", "is not a known tenant: metricpress tenants add")
    ]
    with pytest.raises(MetricpressError, match='no tenant "nobody"'):
        load(warehouse, "sessions", [write(SESSIONS)], LoadOptions(tenant="nobody"))


def test_identical_repeats_are_unchanged_and_the_first_of_differing_ones_stays(warehouse, write):
    first = write(SESSIONS + "s1,u1,2026-03-01,1\ns1,u1,2026-03-01,1.0\n")
    second = write(SESSIONS + "s1,u9,2026-03-01,1\ns2,u2,2026-03-01,1\n")
    result = load(warehouse, "sessions", [first, second], ACME)
    assert counts(result) == (4, 2, 0, 1, 1)
    assert rows(warehouse, "select session_id, user_id from raw.sessions order by 1") == [
        ("s1", "u1"),
        ("s2", "u2"),
    ]
    # The same again: now the first equals the row that is there, and the other is still refused.
    assert counts(load(warehouse, "sessions", [first, second], ACME)) == (4, 0, 0, 3, 1)


def test_moments_without_an_offset_are_the_tenants(warehouse, write):
    path = write(
        "tenant_id,"
        + SESSIONS
        + "acme,s1,u1,2026-07-01 00:30,1\n"
        + "zen,s1,u1,2026-07-01 00:30,1\n"
        + "zen,s2,u1,2026-07-01T00:30:00+02:00,1\n"
        + "zen,s3,u1,2026-07-01,1\n"
    )
    assert counts(load(warehouse, "sessions", [path])) == (4, 4, 0, 0, 0)
    started = rows(
        warehouse, "select started_at at time zone 'UTC' from raw.sessions order by tenant_id, session_id"
    )
    assert [moment.isoformat() for (moment,) in started] == [
        "2026-06-30T23:30:00",  # Lisbon is at +01 in July
        "2026-06-30T15:30:00",  # Tokyo at +09
        "2026-06-30T22:30:00",
        "2026-06-30T15:00:00",  # a date is its local midnight
    ]
    in_utc = LoadOptions(tenant="acme", timezone="UTC")
    load(warehouse, "sessions", [write(SESSIONS + "s9,u1,2026-07-01 00:30,1\n")], in_utc)
    assert rows(warehouse, "select started_at from raw.sessions where session_id = 's9'") == [
        (datetime(2026, 7, 1, 0, 30, tzinfo=UTC),)
    ]
    with pytest.raises(MetricpressError, match="Mars/Phobos"):
        load(warehouse, "sessions", [path], LoadOptions(timezone="Mars/Phobos"))


def test_a_moment_without_an_offset_is_not_taken_for_none(warehouse, write):
    header = "tenant_id,lead_id,status,created_at,updated_at\n"
    load(warehouse, "leads", [write(header + "zen,l1,new,2026-07-01T00:00:00Z,\n")])
    later = write(header + "zen,l1,new,2026-07-01T00:00:00Z,2026-07-02 09:00\n")
    assert counts(load(warehouse, "leads", [later])) == (1, 0, 1, 0, 0)
    assert rows(warehouse, "select updated_at::text from raw.leads") == [("2026-07-02 00:00:00+00",)]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-29 01:30", "2026-03-29T01:30:00"),  # does not exist in Lisbon: read with the offset before
        ("2026-10-25 01:30", "2026-10-25T01:30:00"),  # exists twice: the second, in standard time
    ],
)
def test_on_clock_change_days_postgresqls_rule_holds(warehouse, write, local, utc):
    load(warehouse, "sessions", [write(SESSIONS + f"s1,u1,{local},1\n")], ACME)
    ((moment,),) = rows(warehouse, "select started_at at time zone 'UTC' from raw.sessions")
    assert moment.isoformat() == utc


def test_options_rename_set_translate_and_compose(warehouse, write):
    path = write(
        "day;line;number;what;agent;seconds\n"
        "03/04/2026 09:15;L1;7;AGENT;Dorit;n/a\n"
        "03/04/2026 10:15;L2;7;HANG;Tova;12,5\n",
        "bank.csv",
    )
    options = LoadOptions(
        tenant="acme",
        rename={"started_at": "day", "status": "what", "staff_id": "agent", "duration_seconds": "seconds"},
        constants={"direction": "inbound"},
        value_map={
            "status": {"AGENT": "completed", "HANG": "missed"},
            "duration_seconds": {"n/a": "", "12,5": "12.5"},
        },
        id_from=("day", "line", "number"),
        date_formats={"*": "%d/%m/%Y %H:%M"},
    )
    assert counts(load(warehouse, "calls", [path], options)) == (2, 2, 0, 0, 0)
    assert rows(
        warehouse,
        "select call_id, direction, status, staff_id, duration_seconds::float8, started_at::text, extra"
        " from raw.calls order by started_at",
    ) == [
        # day, line and number became the key; day is a moment too
        ("03/04/2026 09:15|L1|7", "inbound", "completed", "Dorit", None, "2026-04-03 08:15:00+00", None),
        ("03/04/2026 10:15|L2|7", "inbound", "missed", "Tova", 12.5, "2026-04-03 09:15:00+00", None),
    ]
    assert counts(load(warehouse, "calls", [path], options)) == (2, 0, 0, 2, 0)


@pytest.mark.parametrize(
    ("date_format", "value", "expected"),
    [
        ("epoch", "1767225600", "2026-01-01 00:00:00+00"),
        ("epoch_ms", "1767225600500", "2026-01-01 00:00:00.5+00"),
        ("%m/%d/%y", "4/7/17", "2017-04-06 23:00:00+00"),
        ("%d %b %Y %I:%M %p", "4 Jul 2026 1:05 pm", "2026-07-04 12:05:00+00"),
        ("%Y%m%dT%H%M%S%z", "20260101T020000+0200", "2026-01-01 00:00:00+00"),
        ("%d/%m/%Y", "31/02/2026", None),
        ("%d/%m/%Y", "2026-02-03", None),
    ],
)
def test_a_date_format_is_kept_to(warehouse, write, date_format, value, expected):
    options = LoadOptions(tenant="acme", date_formats={"started_at": date_format})
    load(warehouse, "sessions", [write(SESSIONS + f"s1,u1,{value},1\n")], options)
    assert rows(warehouse, "select started_at::text from raw.sessions") == ([(expected,)] if expected else [])
    if not expected:
        assert reasons(warehouse) == [(2, "started_at", value, f"does not match the format {date_format}")]


def test_extra_columns_are_kept_and_those_of_other_files_left_alone(warehouse, write):
    load(warehouse, "parties", [write("party_id,name,city,note\np1,Ana,Porto,\n")], ACME)
    assert rows(warehouse, "select extra from raw.parties") == [({"city": "Porto"},)]
    again = write("party_id,kind,note\np1,client,big\n")
    assert counts(load(warehouse, "parties", [again], ACME)) == (1, 0, 1, 0, 0)
    assert rows(warehouse, "select name, kind, extra from raw.parties") == [
        ("Ana", "client", {"city": "Porto", "note": "big"})
    ]
    assert counts(load(warehouse, "parties", [again], ACME)) == (1, 0, 0, 1, 0)
    load(warehouse, "parties", [write("party_id,city\np1,\n")], ACME)
    assert rows(warehouse, "select extra from raw.parties") == [({"note": "big"},)]


def test_a_file_without_a_required_column_changes_rows_but_adds_none(warehouse, write):
    load(warehouse, "sessions", [write(SESSIONS + "s1,u1,2026-03-01,1\n")], ACME)
    result = load(warehouse, "sessions", [write("session_id,duration_seconds\ns1,5\ns2,6\n")], ACME)
    assert counts(result) == (2, 0, 1, 0, 1)
    assert rows(warehouse, "select user_id, duration_seconds::int from raw.sessions") == [("u1", 5)]
    assert reasons(warehouse) == [(3, "user_id", None, "is required for a new row and no column gives it")]


def test_a_row_that_comes_again_after_its_tombstone_lives_again(warehouse, write):
    path = write(SESSIONS + "s1,u1,2026-03-01,1\n")
    load(warehouse, "sessions", [path], ACME)
    load(warehouse, "sessions", [write("session_id,deleted_at\ns1,2026-04-01T00:00:00Z\n")], ACME)
    assert rows(warehouse, "select deleted_at is null from raw.sessions") == [(False,)]
    assert counts(load(warehouse, "sessions", [path], ACME)) == (1, 0, 1, 0, 0)
    assert rows(warehouse, "select deleted_at from raw.sessions") == [(None,)]


def test_strict_loads_nothing_but_keeps_the_reasons(warehouse, write):
    path = write(SESSIONS + "s1,u1,2026-03-01,1\ns2,u1,never,1\n")
    result = load(warehouse, "sessions", [path], LoadOptions(tenant="acme", strict=True))
    assert (counts(result), result.loaded, result.exit_code) == ((2, 0, 0, 0, 1), False, 3)
    assert rows(warehouse, "select count(*) from raw.sessions") == [(0,)]
    assert [reason[0] for reason in reasons(warehouse)] == [3]
    fine = load(
        warehouse, "sessions", [write(SESSIONS + "s1,u1,2026-03-01,1\n")], LoadOptions("acme", strict=True)
    )
    assert (fine.new, fine.loaded) == (1, True)


def test_tenants_and_branches_must_have_a_clock_and_money_that_exist(warehouse, write):
    path = write(
        "tenant_id,name,timezone,currency,created_at\n"
        "a,A,Europe/Paris,EUR,2026-07-01\nb,B,Mars/Phobos,EUR,\nc,C,,euro,\nd,D,,,\n"
    )
    assert counts(load(warehouse, "tenants", [path])) == (4, 2, 0, 0, 2)
    assert [reason[1:] for reason in reasons(warehouse)] == [
        ("timezone", "Mars/Phobos", "is not a timezone PostgreSQL knows"),
        ("currency", "euro", "is not a currency code of three capital letters"),
    ]
    assert rows(
        warehouse,
        "select tenant_id, timezone, currency, week_start, created_at::text from raw.tenants"
        " where name in ('A', 'D') order by 1",
    ) == [
        ("a", "Europe/Paris", "EUR", "monday", "2026-06-30 22:00:00+00"),
        ("d", "UTC", "USD", "monday", None),
    ]
    branches = write("branch_id,name,timezone\nb1,One,\nb2,Two,Nowhere/City\n")
    assert counts(load(warehouse, "branches", [branches], ACME)) == (2, 1, 0, 0, 1)


def test_every_format_gives_the_same_rows(warehouse, write, tmp_path):
    moments = [datetime(2026, 3, 1, hour, 0, 0, 250000, tzinfo=UTC) for hour in range(3)]
    data = {
        "session_id": ["s1", "s2", "s3"],
        "user_id": ["u,1", 'u"2', "ü3"],
        "started_at": moments,
        "duration_seconds": [1.5, None, float("nan")],
        "device": ["phone", None, "tv"],
        "rating": [5, None, 3],
    }
    pq.write_table(pa.table(data), tmp_path / "s.parquet")
    (tmp_path / "s2.parquet.gz").write_bytes(gzip.compress((tmp_path / "s.parquet").read_bytes()))
    lines = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    for line in lines:
        line["started_at"] = line["started_at"].isoformat()
        line["duration_seconds"] = None if line["session_id"] == "s3" else line["duration_seconds"]
    as_json = write("".join(json.dumps(line) + "\n" for line in lines), "s.jsonl")
    as_json_gz = write(gzip.compress(as_json.read_bytes()), "s.jsonl.gz")
    with (tmp_path / "s.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(data))
        writer.writeheader()
        writer.writerows(lines)
    as_csv_gz = write(gzip.compress((tmp_path / "s.csv").read_bytes()), "s4.csv.gz")
    as_tsv = write(
        (tmp_path / "s.csv").read_text().replace('"u,1"', "u,1").replace(",", "\t").replace("u\t1", "u,1"),
        "s.tsv",
    )

    assert counts(load(warehouse, "sessions", [tmp_path / "s.parquet"], ACME)) == (3, 3, 0, 0, 0)
    extra = rows(warehouse, "select extra from raw.sessions order by session_id")
    assert extra == [({"device": "phone", "rating": 5},), (None,), ({"device": "tv", "rating": 3},)]
    for same in (tmp_path / "s2.parquet.gz", as_json, as_json_gz):
        assert counts(load(warehouse, "sessions", [same], ACME)) == (3, 0, 0, 3, 0), same
    without_types = [tmp_path / "s.csv", as_csv_gz, as_tsv]
    assert counts(load(warehouse, "sessions", without_types[:1], ACME)) == (3, 0, 2, 1, 0)  # "5" instead of 5
    for same in without_types[1:]:
        assert counts(load(warehouse, "sessions", [same], ACME)) == (3, 0, 0, 3, 0), same


def test_files_of_one_call_may_order_their_columns_but_must_have_the_same(warehouse, write):
    one = write("session_id,user_id,started_at\ns1,u1,2026-03-01\n")
    two = write("started_at,session_id,user_id\n2026-03-02,s2,u2\n")
    assert counts(load(warehouse, "sessions", [one, two], ACME)) == (2, 2, 0, 0, 0)
    with pytest.raises(MetricpressError, match="different columns: duration_seconds"):
        load(warehouse, "sessions", [one, write(SESSIONS)], ACME)
    assert rows(warehouse, "select count(*) from raw.loads") == [(1,)]


SELECT = """
select
    p.id as lead_id, lower(p.stage) as status, p.opened as created_at, t.office as branch_id, p._line, p._file
from pipeline as p left join teams as t on t.agent = p.agent
where p.stage <> 'Phantom' order by p._line
"""


def test_a_select_joins_files_and_its_rejections_name_the_line_of_the_file(warehouse, write):
    pipeline = write(
        "id,stage,agent,opened\n1,New,Ana,2026-03-01\n2,Phantom,Ana,\n3,Won,Bo,2026-03-01\n4,Lost\n",
        "pipeline.csv",
    )
    teams = write("agent,office\nAna,East\n", "Teams.CSV")
    options = LoadOptions(tenant="acme", select=write(SELECT, "s.sql"), lookups=(teams,))
    result = load(warehouse, "leads", [pipeline], options)
    assert (result.yielded, *counts(result)) == (2, 4, 1, 0, 0, 2)
    assert rows(warehouse, "select lead_id, status, branch_id from raw.leads") == [("1", "new", "East")]
    assert [(line, column) for line, column, _, _ in reasons(warehouse)] == [(4, "status"), (5, None)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1 as lead_id; drop table raw.leads", "syntax error"),
        ("select 1) as x; drop table raw.leads; select * from (select 1", "multiple commands"),
        ("with gone as (delete from raw.tenants returning *) select * from gone", "at the top level"),
        ("select lead_id from leads", 'relation "leads" does not exist'),
        ("select nextval('raw.rejected_rows_rejected_id_seq')::text as lead_id", "read-only transaction"),
        ("select id as lead_id, id as lead_id from pipeline", "specified more than once"),
        ("insert into raw.tenants values ('x')", "syntax error"),
        ("   ", "is empty"),
        ("select id from pipeline", "nothing gives lead_id"),
    ],
)
def test_a_select_can_only_select(warehouse, write, query, message):
    pipeline = write("id\n1\n", "pipeline.csv")
    with pytest.raises(MetricpressError, match=message):
        load(warehouse, "leads", [pipeline], LoadOptions(tenant="acme", select=write(query, "s.sql")))
    assert rows(warehouse, "select count(*) from raw.tenants") == [(2,)]
    assert rows(warehouse, "select count(*) from raw.loads") == [(0,)]


def test_the_settings_of_a_session_come_back(warehouse, write):
    warehouse.execute("set timezone = 'Asia/Tokyo'; set work_mem = '7MB'")
    load(warehouse, "sessions", [write(SESSIONS + "s1,u1,2026-03-01,x\n")], ACME)
    assert rows(warehouse, "select current_setting('timezone'), current_setting('work_mem')") == [
        ("Asia/Tokyo", "7MB")
    ]


def test_a_load_waits_for_another_session_that_adds_the_same_row(database, settings, write):
    database.execute(TENANTS)
    database.commit()
    results = []

    def load_too():
        with psycopg.connect(settings.database_url) as other:
            path = write(SESSIONS + "s1,u1,2026-03-01T00:00:00Z,1\ns2,u2,2026-03-01T00:00:00Z,1\n")
            results.append(load(other, "sessions", [path], ACME))

    database.execute(
        "insert into raw.sessions (tenant_id, session_id, user_id, started_at)"
        " values ('acme', 's1', 'u1', '2026-03-01')"
    )
    thread = threading.Thread(target=load_too)
    thread.start()
    while not rows(database, "select from pg_locks where not granted"):
        assert thread.is_alive()
        time.sleep(0.01)
    database.commit()
    thread.join(timeout=30)
    assert [counts(result) for result in results] == [(2, 1, 1, 0, 0)]  # s1 had no duration


GOOD = st.fixed_dictionaries(
    {
        "session_id": st.integers(0, 5).map(lambda n: f"s{n}"),
        "user_id": st.sampled_from(["u1", " u2", 'u"3', "ü,4", "line\nbreak"]),
        "started_at": st.sampled_from(
            [
                "2026-03-29 01:30",
                "2026-03-01",
                "2026-03-01T10:00:00Z",
                "20260301T1000+0100",
                "2026-03-01 1:00-3:30",
            ]
        ),
        "duration_seconds": st.sampled_from(["", "1", "1.50", " 7 ", "-3", "1e2"]),
        "device": st.sampled_from(["", "phone", "NULL", "\\N"]),
    }
)
BAD = st.fixed_dictionaries(
    {},
    optional={
        "started_at": st.sampled_from(["x", "2026-13-01", "", "1066-10-14"]),
        "duration_seconds": st.sampled_from(["x", "NaN", "--1"]),
        "user_id": st.just(""),
    },
)
ROW = st.tuples(GOOD, st.one_of(st.just({}), BAD)).map(lambda pair: pair[0] | pair[1])
IN_DATABASE = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def csv_file(path, dictionaries):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["session_id", "user_id", "started_at", "duration_seconds", "device"])
        writer.writeheader()
        writer.writerows(dictionaries)
    return path


def loaded_from_nothing(connection, loads, options=ACME):
    """The content after some loads into empty tables, undone again."""
    with connection.transaction(force_rollback=True):
        for path in loads:
            load(connection, "sessions", [path], options)
        return content(connection, "sessions"), sorted(reasons(connection), key=repr)


@pytest.mark.parametrize(
    ("text", "is_fast"),
    [
        ("s1,u1,2026-03-01T10:00:00Z,60\n", True),
        ('s1,"u,1",2026-03-01 10:00,\n', True),
        ('s1,"u\n1",2026-03-01,60\n', False),
        ("s1,u1,03/04/2026,60\n", False),
    ],
)
def test_plain_files_take_the_fast_way(warehouse, write, monkeypatch, text, is_fast):
    taken = []
    monkeypatch.setattr(module, "attempt", lambda *args: taken.append(attempt(*args)) or taken[-1])
    load(warehouse, "sessions", [write(SESSIONS + text)], ACME)
    assert [merged is not None for merged in taken] == [is_fast]


@IN_DATABASE
@given(st.lists(ROW, max_size=6), st.booleans())
def test_the_fast_and_the_careful_way_agree(warehouse, tmp_path, monkeypatch, dictionaries, several_tenants):
    if several_tenants:  # their time zones differ
        dictionaries = [row | {"device": ("acme", "zen")[n % 2]} for n, row in enumerate(dictionaries)]
    options = LoadOptions(rename={"tenant_id": "device"}) if several_tenants else ACME
    path = csv_file(tmp_path / "rows.csv", dictionaries)
    fast = loaded_from_nothing(warehouse, [path], options)
    with monkeypatch.context() as patch:
        patch.setattr(module, "attempt", lambda *_: None)
        careful = loaded_from_nothing(warehouse, [path], options)
    assert fast == careful


@IN_DATABASE
@given(st.lists(GOOD, max_size=12, unique_by=lambda row: row["session_id"]), st.data())
def test_any_order_of_the_same_loads_gives_the_same_rows(warehouse, tmp_path, dictionaries, data):
    """Files with other rows, repeats of files, and files with other columns of the same rows."""
    cut = data.draw(st.integers(0, len(dictionaries)))
    whole = [
        csv_file(tmp_path / "one.csv", dictionaries[:cut]),
        csv_file(tmp_path / "two.csv", dictionaries[cut:]),
    ]
    columns = []
    for name in ("branch_id", "user_type"):
        path = tmp_path / f"{name}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["session_id", "user_id", "started_at", name])
            for row in dictionaries:
                writer.writerow(
                    [row["session_id"], row["user_id"], row["started_at"], f"{name} of {row['session_id']}"]
                )
        columns.append(path)
    loads = [*whole, *columns]
    order = data.draw(st.permutations([*loads, *data.draw(st.lists(st.sampled_from(loads), max_size=2))]))
    assert loaded_from_nothing(warehouse, order) == loaded_from_nothing(warehouse, loads)


def test_the_command_prints_counts_and_reasons_and_tells_by_its_exit_code(metricpress, write):
    assert metricpress("tenants", "add", "acme", "--timezone", "Europe/Lisbon").returncode == 0
    path = write(SESSIONS + "s1,u1,2026-03-01,1\ns2,u1,never,1\n")
    refused = metricpress("load", "sessions", str(path), "--tenant", "acme")
    assert refused.returncode == 3, refused.stderr
    assert "read 2  new 1  changed 0  unchanged 0  rejected 1" in refused.stdout
    assert f'{path}:3 started_at "never" is not a moment PostgreSQL can read' in refused.stdout
    fine = metricpress(
        "load", "sessions", str(write(SESSIONS + "s1,u1,2026-03-01,1\n")), "--tenant", "acme", "--json"
    )
    assert fine.returncode == 0, fine.stderr
    assert {key: json.loads(fine.stdout)[key] for key in ("read", "new", "unchanged")} == {
        "read": 1,
        "new": 0,
        "unchanged": 1,
    }
    for arguments in (["missing.csv"], [str(path), "--map", "user_id=who"], [str(write(b"a\xff,b\n"))]):
        unreadable = metricpress("load", "sessions", *arguments, "--tenant", "acme")
        assert unreadable.returncode == 2
        assert unreadable.stderr.count("error:") == 1
        assert "Traceback" not in unreadable.stderr
