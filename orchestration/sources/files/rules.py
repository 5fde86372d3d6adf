"""The rules a row must keep, each with the column it is about and the reason a person reads.

Belongs here: what makes a row bad, as SQL conditions. Does not belong here: running them (judge.py and
direct.py). In the conditions `t` holds a row's values as text and `v` the same values in their types (NULL:
not castable).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from orchestration.sources.files.plan import Binding, Plan
from orchestration.warehouse.contract import FIRST_MOMENT, LAST_MOMENT

#: 3/4/2021: the day and the month cannot be told apart.
AMBIGUOUS_DATE = r"^\s*\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})\M"
LONGEST_KEY = 1000
KNOWN_TENANTS = "select tenant_id from raw.tenants where deleted_at is null"


def looks_ambiguous(value: str | None) -> bool:
    """Whether a date is written with day and month before the year, in digits."""
    return value is not None and re.search(AMBIGUOUS_DATE.replace(r"\M", r"\b"), value) is not None


@dataclass(frozen=True)
class Rule:
    """A condition that makes a row bad, the column to blame and why."""

    column: str
    reason: str
    broken: sql.Composable


def typed_rules(plan: Plan) -> Iterator[Rule]:
    """The rules for values that have their type already, column by column."""
    for binding in plan.bindings:
        column = binding.column
        v = sql.Identifier("v", binding.name)
        if column.required and column.default is None:
            yield Rule(binding.name, "is required and has no value", sql.SQL("{} is null").format(v))
        if binding.name == "tenant_id" and plan.table.name != "tenants":
            yield Rule(
                binding.name,
                "is not a known tenant: metricpress tenants add",
                sql.SQL(f"{{}} not in ({KNOWN_TENANTS})").format(v),
            )
        if column.type in ("timestamptz", "date"):
            midnight = " 00:00:00+00" if column.type == "timestamptz" else ""
            yield Rule(
                binding.name,
                f"lies outside {FIRST_MOMENT} to {LAST_MOMENT}",
                sql.SQL("not ({0} >= {1} and {0} < {2})").format(
                    v, FIRST_MOMENT + midnight, LAST_MOMENT + midnight
                ),
            )
        if column.type == "numeric":
            yield Rule(
                binding.name,
                "is not a number",
                sql.SQL("not ({0} > '-Infinity' and {0} < 'Infinity')").format(v),
            )
        if column.values:
            yield Rule(
                binding.name,
                f"is not one of {', '.join(column.values)}",
                sql.SQL("{} <> all ({}::text[])").format(v, list(column.values)),
            )
        if (plan.table.name, binding.name) == ("exchange_rates", "units_per_eur"):
            yield Rule(binding.name, "is not above 0", sql.SQL("{} <= 0").format(v))


def text_rules(plan: Plan) -> Iterator[Rule]:
    """The rules for values that are still text: whether they can have their type at all."""
    for binding in plan.bindings:
        t, v = sql.Identifier("t", binding.name), sql.Identifier("v", binding.name)
        not_castable = sql.SQL("{} is not null and {} is null").format(t, v)
        if binding.column.type in ("timestamptz", "date"):
            yield from _date_rules(binding, t, not_castable)
        elif binding.column.type != "text":
            kind = "whole number" if binding.column.type in ("integer", "bigint") else "number"
            yield Rule(binding.name, f"is not a {kind}", not_castable)
        if binding.name in plan.table.primary_key:
            yield Rule(
                binding.name,
                f"is longer than {LONGEST_KEY:,} bytes",
                sql.SQL("octet_length({}) > {}").format(t, LONGEST_KEY),
            )
        if binding.name == "timezone":
            yield Rule(
                binding.name,
                "is not a timezone PostgreSQL knows",
                sql.SQL("{0} is not null and not raw.is_timezone({0})").format(t),
            )
        if (plan.table.name, binding.name) == ("tenants", "currency"):
            yield Rule(
                binding.name,
                "is not a currency code of three capital letters",
                sql.SQL("{} !~ '^[A-Z]{{3}}$'").format(t),
            )


def _date_rules(binding: Binding, t: sql.Composable, not_castable: sql.Composable) -> Iterator[Rule]:
    if binding.date_format is not None:
        yield Rule(binding.name, f"does not match the format {binding.date_format.written}", not_castable)
        return
    yield Rule(
        binding.name,
        "can be read with day or month first: give --date-format",
        sql.SQL("{0} not like '____-__-__%' and {0} ~ {1}").format(t, AMBIGUOUS_DATE),
    )
    kind = "date" if binding.column.type == "date" else "moment"
    yield Rule(binding.name, f"is not a {kind} PostgreSQL can read", not_castable)
