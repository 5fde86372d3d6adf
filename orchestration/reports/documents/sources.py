"""Where the figures of a report stand, as conditions on the rows of a mart.

Belongs here: making a Source of a period. Does not belong here: which mart a figure comes from.

`column` is the column, or what is done with its rows: `select {column} from {mart} where {key}` gives the
figure. A name in `key` ends in an operator where it is another than `=`: `("metric_date >=", "2025-03-24")`.
"""

from __future__ import annotations

from datetime import date

from orchestration.reports.document import Source


def in_days(
    mart: str, column: str, first: date, last: date, tenant_id: str, branch_id: str | None = None,
    **more: str | int,
) -> Source:  # fmt: skip
    """Rows of marts.`mart` whose metric_date lies between two days, both inclusive."""
    key = [("tenant_id", tenant_id)]
    if branch_id is not None:
        key.append(("branch_id", branch_id))
    key += [("metric_date >=", first.isoformat()), ("metric_date <=", last.isoformat())]
    key += [(name, str(value)) for name, value in more.items()]
    return Source(f"marts.{mart}", column, tuple(key))


def total(column: str) -> str:
    """The sum of a column."""
    return f"sum({column})"


def quotient(numerator: str, denominator: str) -> str:
    """The quotient of two sums."""
    return f"sum({numerator}) / nullif(sum({denominator}), 0)"


def part_of(column: str, name: str, value: str) -> str:
    """The share of the rows with a value in the sum of a column."""
    escaped = value.replace("'", "''")
    return f"sum({column}) filter (where {name} = '{escaped}') / nullif(sum({column}), 0)"
