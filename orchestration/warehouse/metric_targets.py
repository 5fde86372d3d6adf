"""Targets of a tenant (reporting.metric_targets): what a metric ought to reach, read and written.

Belongs here: fields of a target and their checks. Does not belong here: how a status is derived from them
(marts) and other settings (tenant_settings.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from orchestration.errors import MetricpressError
from orchestration.warehouse.tenant_settings import NONE_WORDS

#: Of a target: the goal, what others reach, and from where on the status is good, or a warning.
FIELDS = ("target", "benchmark", "good_from", "warning_from")
ALWAYS = date(1900, 1, 1)
#: Periods a target may be meant for; None: every period.
GRAINS = ("day", "week", "month")


@dataclass(frozen=True)
class MetricTarget:
    """Goals of one metric, of the tenant or of one branch, from a day on. Rates are shares: 0.05, not 5.

    `grain` is the period they are meant for (day, week, month), None for every period.
    """

    metric: str
    branch_id: str | None = None
    grain: str | None = None
    valid_from: date = ALWAYS
    target: Decimal | None = None
    benchmark: Decimal | None = None
    good_from: Decimal | None = None
    warning_from: Decimal | None = None

    @property
    def key(self) -> tuple[str, str | None, str | None, date]:
        """What tells one target from another."""
        return (self.metric, self.branch_id, self.grain, self.valid_from)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is aimed at any more."""
        return all(getattr(self, field) is None for field in FIELDS)


def check_number(name: str, value: Any) -> Decimal | None:
    """A finite number, or None for `none`; MetricpressError naming the field otherwise."""
    if value is None or (isinstance(value, str) and value.lower() in NONE_WORDS):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise MetricpressError(f'{name} cannot be "{value}"', remedy="Give a number such as 0.05, or none.")
    return number


def target_from(values: Mapping[str, Any]) -> MetricTarget:
    """A target from a file's mapping; MetricpressError for an unknown field or a value of the wrong type."""
    metric = values.get("metric")
    if not isinstance(metric, str) or not metric:
        raise MetricpressError("a target without a metric", remedy="Give each target a metric, such as mrr.")
    known = {field.name for field in fields(MetricTarget)}
    for name in values:
        if name not in known:
            raise MetricpressError(
                f'the target of {metric} has no field "{name}"',
                remedy=f"Fields are: {', '.join(sorted(known))}",
            )
    try:
        valid_from = date.fromisoformat(str(values.get("valid_from") or ALWAYS))
    except ValueError:
        raise MetricpressError(
            f'valid_from of the target of {metric} cannot be "{values["valid_from"]}"',
            remedy="Give a day such as 2026-01-31.",
        ) from None
    grain = values.get("grain")
    if grain is not None and grain not in GRAINS:
        raise MetricpressError(
            f'grain of the target of {metric} cannot be "{grain}"', remedy=f"Known: {', '.join(GRAINS)}."
        )
    branch = values.get("branch_id")
    numbers = {name: check_number(f"{metric}.{name}", values.get(name)) for name in FIELDS}
    return MetricTarget(metric, None if branch is None else str(branch), grain, valid_from, **numbers)


def require_metric(connection: psycopg.Connection[Any], metric: str) -> bool:
    """Raise MetricpressError for a metric the catalogue lacks; False when no catalogue is built yet."""
    built = connection.execute("select to_regclass('marts.metric_catalogue') is not null").fetchone()
    if not built or not built[0]:
        return False
    known = [row[0] for row in connection.execute("select metric from marts.metric_catalogue").fetchall()]
    if metric not in known:
        near = get_close_matches(metric, known, n=3)
        raise MetricpressError(
            f'there is no metric "{metric}"',
            remedy=f"Did you mean {', '.join(near)}?" if near else "docs/metrics.md lists them.",
        )
    return True


def require_branch(connection: psycopg.Connection[Any], tenant_id: str, branch_id: str) -> None:
    """Raise MetricpressError when the tenant has no such branch."""
    row = connection.execute(
        "select from raw.branches where tenant_id = %s and branch_id = %s and deleted_at is null",
        [tenant_id, branch_id],
    ).fetchone()
    if row is None:
        raise MetricpressError(
            f'the tenant "{tenant_id}" has no branch "{branch_id}"',
            remedy="Load it first: metricpress load branches FILE",
        )


def read_targets(
    connection: psycopg.Connection[Any], tenant_id: str, metric: str | None = None
) -> list[MetricTarget]:
    """Targets of a tenant, of all metrics or one."""
    with connection.cursor(row_factory=class_row(MetricTarget)) as cursor:
        cursor.execute(
            """
            select metric, branch_id, grain, valid_from, target, benchmark, good_from, warning_from
            from reporting.metric_targets
            where tenant_id = %(tenant_id)s and (%(metric)s::text is null or metric = %(metric)s)
            order by metric, branch_id nulls first, grain nulls first, valid_from
            """,
            {"tenant_id": tenant_id, "metric": metric},
        )
        return cursor.fetchall()


def write_target(connection: psycopg.Connection[Any], tenant_id: str, target: MetricTarget) -> None:
    """Put one target in place of the one with the same key; an empty one removes it."""
    metric, branch_id, grain, valid_from = target.key
    key = {
        "tenant_id": tenant_id,
        "metric": metric,
        "branch_id": branch_id,
        "grain": grain,
        "valid_from": valid_from,
    }
    if target.is_empty:
        connection.execute(
            """
            delete from reporting.metric_targets
            where tenant_id = %(tenant_id)s and metric = %(metric)s and valid_from = %(valid_from)s
                and branch_id is not distinct from %(branch_id)s and grain is not distinct from %(grain)s
            """,
            key,
        )
        return
    names = [sql.Identifier(name) for name in FIELDS]
    statement = sql.SQL(
        """
        insert into reporting.metric_targets (tenant_id, metric, scope, branch_id, grain, valid_from, {names})
        values (
            %(tenant_id)s, %(metric)s, %(scope)s, %(branch_id)s, %(grain)s, %(valid_from)s, {places}
        )
        on conflict on constraint metric_targets_once do update set {changes}
        """
    ).format(
        names=sql.SQL(", ").join(names),
        places=sql.SQL(", ").join(sql.Placeholder(name) for name in FIELDS),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
    )
    scope = "tenant" if target.branch_id is None else "branch"
    connection.execute(statement, {**key, "scope": scope, **{name: getattr(target, name) for name in FIELDS}})
