"""Which column of a file becomes which column of a raw table."""

import pytest

from orchestration.errors import MetricpressError
from orchestration.sources.files.options import LoadOptions
from orchestration.sources.files.plan import make_plan, raw_table
from orchestration.sources.files.select import table_name
from orchestration.warehouse.contract import TABLES

SESSION = ("session_id", "user_id", "started_at", "device", "loaded_at")


def plan_of(table, columns, **options):
    return make_plan(TABLES[table], columns, LoadOptions(**options))


def test_names_match_and_what_is_left_goes_to_extra_but_never_the_loaders_own_column():
    plan = plan_of("sessions", SESSION, tenant="acme")
    assert [binding.name for binding in plan.bindings] == ["tenant_id", "session_id", "user_id", "started_at"]
    assert plan.extra_names == ["device"]
    assert plan.constant_tenant == "acme"


def test_a_renamed_column_leaves_its_namesake_to_extra():
    plan = plan_of("sessions", ("tenant_id", *SESSION), rename={"user_id": "device"})
    assert plan.extra_names == ["user_id"]


def test_a_key_is_composed_in_the_order_asked_for():
    plan = plan_of("calls", ("line", "day", "started_at"), tenant="a", id_from=("day", "line"))
    assert plan.binding("call_id").positions == (1, 0)


@pytest.mark.parametrize(
    ("table", "columns", "options", "message"),
    [
        ("sessions", SESSION, {}, "nothing gives tenant_id"),
        ("sessions", ("user_id",), {"tenant": "a"}, "nothing gives session_id"),
        ("sessions", SESSION, {"tenant": "a", "rename": {"user_id": "who"}}, 'no column "who"'),
        ("sessions", SESSION, {"tenant": "a", "rename": {"who": "user_id"}}, 'no column "who"'),
        ("sessions", SESSION, {"tenant": "a", "constants": {"loaded_at": "x"}}, 'no column "loaded_at"'),
        ("sessions", ("tenant_id", *SESSION), {"tenant": "a"}, "both --tenant and a column"),
        (
            "sessions",
            SESSION,
            {"tenant": "a", "value_map": {"branch_id": {"a": "b"}}},
            "nothing gives branch_id",
        ),
        ("sessions", SESSION, {"tenant": "a", "date_formats": {"user_id": "epoch"}}, "neither a moment"),
        ("exchange_rates", ("rate_date", "currency"), {"id_from": ("currency",)}, "cannot compose"),
        ("exchange_rates", ("rate_date", "currency"), {"tenant": "a"}, "belongs to no tenant"),
    ],
)
def test_a_name_that_is_not_there_is_told(table, columns, options, message):
    with pytest.raises(MetricpressError, match=message):
        plan_of(table, columns, **options)


def test_an_unknown_table_is_told_with_the_known_ones():
    with pytest.raises(MetricpressError, match='no raw table "lead"') as caught:
        raw_table("lead")
    assert "leads" in caught.value.remedy
    assert raw_table("raw.leads").name == "leads"


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Unicorn_Companies.csv", "unicorn_companies"),
        ("2021 Q1 (final).csv.gz", "_2021_q1_final"),
        ("sales.2024.tsv", "sales_2024"),
        ("---.csv", "_"),
    ],
)
def test_a_file_gives_its_table_a_plain_name(tmp_path, name, table):
    assert table_name(tmp_path / name) == table
