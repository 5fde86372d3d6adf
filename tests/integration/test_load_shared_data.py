"""The three data sets that are not shipped, loaded by the commands of docs/interfaces.md.

Expected figures are those of the data sets' own checks.csv and of the raw contract.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.sources.files.load import LoadOptions, load

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT.parent / "shared" / "data"
SELECTS = PROJECT / "docs" / "loading"
MAVEN, BANK, UNICORN = "maven_crm_sales", "anonymous_bank_calls_1999_02", "unicorn_coinvestors"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not beside this clone"),
]


@pytest.fixture
def warehouse(module_database):
    module_database.execute(
        "insert into raw.tenants (tenant_id, name, timezone) values ('maven', 'Maven', 'UTC'),"
        " ('anonymous_bank', 'Anonymous Bank', 'Asia/Jerusalem'), ('unicorn', 'Unicorn', 'UTC')"
    )
    yield module_database
    module_database.rollback()


def counts(result):
    return (result.read, result.yielded, result.new, result.changed, result.unchanged, result.rejected)


def rows(connection, query):
    return connection.execute(query).fetchall()


def test_maven_opportunities_become_leads(warehouse):
    options = LoadOptions(
        tenant="maven", select=SELECTS / "maven_leads.sql", lookups=(DATA / MAVEN / "sales_teams.csv",)
    )
    files = [DATA / MAVEN / "sales_pipeline.csv"]
    result = load(warehouse, "leads", files, options)
    assert counts(result) == (8800, 8800, 8300, 0, 0, 500)
    assert {(r.column, r.reason) for r in result.reasons} == {("created_at", "is required and has no value")}
    statuses = rows(warehouse, "select status, count(*) from raw.leads group by status order by status")
    assert statuses == [("contacted", 1589), ("converted", 4238), ("lost", 2473)]
    assert rows(
        warehouse,
        "select sum((extra ->> 'close_value')::int),"
        " round(avg(converted_at::date - created_at::date), 2)::float8,"
        " count(*) filter (where branch_id is null or staff_id is null)"
        " from raw.leads where status = 'converted'",
    ) == [(10005534, 51.78, 0)]
    rejected = rows(
        warehouse, "select count(*), count(distinct line_number), min(file_name) from raw.rejected_rows"
    )
    assert rejected == [(500, 500, str(files[0]))]
    assert counts(load(warehouse, "leads", files, options)) == (8800, 8800, 0, 0, 8300, 500)


def test_maven_offices_and_agents(warehouse):
    teams = [DATA / MAVEN / "sales_teams.csv"]
    offices = LoadOptions(tenant="maven", select=SELECTS / "maven_branches.sql")
    assert load(warehouse, "branches", teams, offices).new == 3
    agents = LoadOptions(
        tenant="maven",
        rename={"staff_id": "sales_agent", "name": "sales_agent", "branch_id": "regional_office"},
    )
    assert load(warehouse, "staff", teams, agents).new == 35


def test_bank_calls_leave_out_the_phantoms(warehouse):
    files = [DATA / BANK / "data_anonymous_bank_february.txt"]
    options = LoadOptions(tenant="anonymous_bank", select=SELECTS / "anonymous_bank_calls.sql")
    result = load(warehouse, "calls", files, options)
    assert counts(result) == (33344, 33344 - 278, 33344 - 278, 0, 0, 0)
    assert rows(
        warehouse,
        "select status, count(*), round(avg(duration_seconds), 2)::float8"
        " from raw.calls group by 1 order by 1",
    ) == [("completed", 27162, 176.35), ("missed", 5904, None)]
    assert rows(
        warehouse,
        "select count(distinct staff_id), min((started_at at time zone 'Asia/Jerusalem')::date)::text,"
        " max((started_at at time zone 'Asia/Jerusalem')::date)::text,"
        " count(*) filter (where (extra ->> 'vru_seconds')::int < 0) > 0 from raw.calls",
    ) == [(24, "1999-02-01", "1999-02-28", True)]
    agents = LoadOptions(tenant="anonymous_bank", select=SELECTS / "anonymous_bank_staff.sql")
    assert load(warehouse, "staff", files, agents).new == 24
    assert counts(load(warehouse, "calls", files, options))[2:] == (0, 0, 33066, 0)


def test_unicorn_investors_become_pairs(warehouse):
    files = [DATA / UNICORN / "Unicorn_Companies.csv"]
    options = LoadOptions(tenant="unicorn", select=SELECTS / "unicorn_collaborations.sql")
    assert counts(load(warehouse, "collaborations", files, options)) == (1074, 2930, 2930, 0, 0, 0)
    assert rows(
        warehouse,
        "select count(distinct (vendor1_id, vendor2_id)), count(distinct client_id),"
        " (select count(distinct v)"
        " from raw.collaborations cross join unnest(array[vendor1_id, vendor2_id]) as v),"
        " min(created_at)::date::text, max(created_at)::date::text,"
        " count(distinct client_id) filter (where client_id like 'Bolt,%') from raw.collaborations",
    ) == [(2701, 1027, 1230, "2007-07-02", "2022-04-05", 2)]
    parties = LoadOptions(tenant="unicorn", select=SELECTS / "unicorn_parties.sql")
    assert load(warehouse, "parties", files, parties).rejected == 0
    assert rows(warehouse, "select kind, count(*) from raw.parties group by 1 order by 1") == [
        ("client", 1074),
        ("vendor", 1254),
    ]
