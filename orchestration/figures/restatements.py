"""Published figures that later data changed: what was said, what is true now, and what brought the change.

Belongs here: reading what completing builds recorded (orchestration/marts/published.py), with the places
where a figure stood and the loads behind the change. Does not belong here: recording it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from orchestration.figures.catalogue import Clock, Metric, read_catalogue, read_clocks
from orchestration.figures.explain import tables_of

#: Tables that change the rows of a table when they change themselves.
_RELATED = {
    "sessions": {"users"},
    "users": {"activation_events"},
    "activation_events": {"users"},
    "leads": {"lead_status_changes"},
    "subscriptions": {"subscription_changes", "customers", "exchange_rates"},
    "invoices": {"payments", "exchange_rates"},
    "payments": {"invoices"},
    "marketing_spend": {"exchange_rates"},
    "finance_inputs": {"exchange_rates"},
}
#: What any figure may depend on.
_ALWAYS = {"tenants", "tenant_settings", "branches", "(models)"}


@dataclass(frozen=True)
class Cause:
    """Something the build had taken in: a load, or (load_id None) a write by another tool."""

    table: str
    load_id: UUID | None
    files: list[str]
    finished_at: datetime | None

    def __str__(self) -> str:
        """For example `late.csv into sessions`, `another tool into calls`."""
        if self.table == "(models)":
            return "other SQL of the models"
        if self.table == "tenant_settings":
            return "other settings"
        if self.load_id is None:
            return f"outside of metricpress into {self.table}"
        more = f" +{len(self.files) - 1}" if len(self.files) > 1 else ""
        name = self.files[0].rsplit("/", 1)[-1] if self.files else "a load"
        return f"{name}{more} into {self.table}"


@dataclass(frozen=True)
class Restatement:
    """One published figure that a build changed."""

    tenant_id: str
    metric: str
    grain: str
    period_start: date
    old_value: Decimal | None
    new_value: Decimal | None
    restated_at: datetime
    build_id: UUID
    published_in: list[str]
    causes: list[Cause]


@dataclass(frozen=True)
class Found:
    """Restatements with what is needed to show them."""

    restatements: list[Restatement]
    metrics: dict[str, Metric]
    clocks: dict[str, Clock]


_QUERY = """
    select
        r.tenant_id, r.metric, r.grain, r.period_start, r.old_value, r.new_value, r.restated_at, r.build_id,
        array_remove(array[
            case
                when p.closed_by_build is not null and closed.finished_at < r.restated_at
                    then 'month closed ' || closed.finished_at::date
            end
        ] || coalesce(reports.places, '{}'), null) as published_in
    from reporting.restatements as r
    left join reporting.published_figures as p using (tenant_id, metric, grain, period_start)
    left join build.builds as closed on closed.build_id = p.closed_by_build
    left join lateral (
        select array_agg(distinct 'report ' || s.name || ' ' || d.delivered_at::date) as places
        from reporting.report_occurrences as o
        join reporting.report_subscriptions as s
            on s.tenant_id = o.tenant_id and s.subscription_id = o.subscription_id and s.branch_id is null
        join reporting.report_deliveries as d
            on d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id
        where
            o.tenant_id = r.tenant_id and o.report_period_start = r.period_start
            and r.grain = case s.frequency when 'daily' then 'day' when 'weekly' then 'week' else 'month' end
            and s.report = 'executive' and d.delivery_status = 'sent' and d.delivered_at < r.restated_at
            and d.report_data ? r.metric
    ) as reports on true
    where r.restated_at >= %(since)s and (%(tenant)s::text is null or r.tenant_id = %(tenant)s)
    order by r.restated_at, r.tenant_id, r.grain, r.period_start, r.metric
"""


def read_restatements(conn: psycopg.Connection[Any], since: date, tenant_id: str | None = None) -> Found:
    """What builds restated from a day (UTC) on. Raises MetricpressError for a tenant that was not built."""
    metrics = {metric.metric: metric for metric in read_catalogue(conn)}
    clocks = {clock.tenant_id: clock for clock in read_clocks(conn, tenant_id)}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERY, {"since": since, "tenant": tenant_id}).fetchall()
        builds = list({(row["tenant_id"], row["build_id"]) for row in rows})
        causes: dict[tuple[str, UUID], list[Cause]] = {}
        for cause in cursor.execute(
            """
            select c.tenant_id, c.build_id, c.table_name, c.load_id, l.files, l.finished_at
            from unnest(%s::text[], %s::uuid[]) as asked (tenant_id, build_id)
            join reporting.restatement_causes as c using (tenant_id, build_id)
            left join raw.loads as l using (load_id)
            order by c.table_name, l.finished_at
            """,
            ([tenant for tenant, _ in builds], [build for _, build in builds]),
        ):
            causes.setdefault((cause["tenant_id"], cause["build_id"]), []).append(
                Cause(cause["table_name"], cause["load_id"], cause["files"] or [], cause["finished_at"])
            )
    tables = {
        name: tables_of(metrics[name], metrics) for name in {row["metric"] for row in rows} & metrics.keys()
    }
    restatements = [
        Restatement(
            **row,
            causes=_causes_of(causes.get((row["tenant_id"], row["build_id"]), []), tables.get(row["metric"])),
        )
        for row in rows
    ]
    return Found(restatements, metrics, clocks)


def _causes_of(causes: list[Cause], tables: set[str] | None) -> list[Cause]:
    """Of all that the build took in, what the metric can have changed by; all of it when nothing fits."""
    if tables is None:
        return causes
    near = set(_ALWAYS) | tables
    for table in tables:
        near |= _RELATED.get(table, set())
    return [cause for cause in causes if cause.table in near] or causes
