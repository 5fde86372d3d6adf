"""The raw contract as data: every table of schema `raw`, its columns and what a change to it touches.

Belongs here: names, types, required columns, closed vocabularies, and how a changed row names the days or
entities a build has to repair. Does not belong here: SQL that creates the tables (migrations, which are
frozen) and how files become rows (sources/). A contract test compares this with the migrated database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "timestamptz", "date", "numeric", "integer", "bigint", "jsonb"]

#: Moments outside this range are refused: a day spine from year 14 is never meant.
FIRST_MOMENT = "1900-01-01"
LAST_MOMENT = "2200-01-01"


@dataclass(frozen=True)
class Column:
    """One column of a raw table; `values` is its closed vocabulary when it has one."""

    name: str
    type: ColumnType = "text"
    required: bool = False
    default: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """One raw table: its columns in order, its key, and what a change records.

    `touches` names the moment or date columns whose tenant-local days a change dirties, `entity` the column
    whose value it dirties, `span_days` how many days after the last touched moment stay affected.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    touches: tuple[str, ...] = ()
    entity: str | None = None
    span_days: int | None = None
    per_tenant: bool = True

    def column(self, name: str) -> Column:
        """The column called `name`, bookkeeping included; KeyError when there is none."""
        for column in self.all_columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Contract columns with tenant_id in front and the bookkeeping columns behind."""
        head = (Column("tenant_id", required=True),) if self.per_tenant else ()
        return head + self.columns + BOOKKEEPING

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The key with tenant_id in front."""
        return (("tenant_id",) if self.per_tenant else ()) + self.key

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that may not be NULL and have no default."""
        return tuple(c.name for c in self.all_columns if c.required and c.default is None)


BOOKKEEPING = (
    Column("loaded_at", "timestamptz", required=True, default="clock_timestamp()"),
    Column("deleted_at", "timestamptz"),
    Column("extra", "jsonb"),
)


def _columns(spec: str) -> tuple[Column, ...]:
    """`name:type*` separated by blanks; the type defaults to text, `*` marks a required column."""
    columns = []
    for part in spec.split():
        required = part.endswith("*")
        name, _, kind = part.rstrip("*").partition(":")
        columns.append(
            Column(
                name,
                kind or "text",  # type: ignore[arg-type]  # checked by the contract test
                required,
                default=_DEFAULTS.get(name) if required else None,
                values=(),
            )
        )
    return tuple(columns)


_DEFAULTS: dict[str, str] = {}
LEAD_STATUS = ("new", "contacted", "qualified", "converted", "lost")
VOCABULARIES: dict[tuple[str, str], tuple[str, ...]] = {
    ("tenants", "week_start"): ("monday", "sunday"),
    ("jobs", "status"): ("succeeded", "failed", "running", "canceled"),
    ("leads", "status"): LEAD_STATUS,
    ("lead_status_changes", "status"): LEAD_STATUS,
    ("calls", "direction"): ("inbound", "outbound"),
    ("calls", "status"): ("completed", "missed", "failed"),
    ("subscriptions", "status"): (
        "trialing",
        "active",
        "past_due",
        "unpaid",
        "paused",
        "canceled",
        "incomplete",
        "incomplete_expired",
    ),
    ("subscriptions", "billing_interval"): ("day", "week", "month", "year"),
    ("invoices", "status"): ("draft", "open", "paid", "void", "uncollectible"),
    ("payments", "status"): ("succeeded", "failed", "refunded"),
    ("health_checks", "status"): ("up", "degraded", "down"),
}
VOCABULARIES["subscription_changes", "status"] = VOCABULARIES["subscriptions", "status"]
VOCABULARIES["subscription_changes", "billing_interval"] = VOCABULARIES["subscriptions", "billing_interval"]
TENANT_DEFAULTS = {"timezone": "'UTC'", "currency": "'USD'", "week_start": "'monday'"}


def _table(
    name: str,
    spec: str,
    *,
    key: str,
    touches: str = "",
    entity: str | None = None,
    span_days: int | None = None,
    per_tenant: bool = True,
) -> RawTable:
    columns = tuple(
        Column(
            c.name,
            c.type,
            c.required,
            TENANT_DEFAULTS.get(c.name) if name == "tenants" else c.default,
            VOCABULARIES.get((name, c.name), ()),
        )
        for c in _columns(spec)
    )
    return RawTable(name, columns, tuple(key.split()), tuple(touches.split()), entity, span_days, per_tenant)


TABLES: dict[str, RawTable] = {
    t.name: t
    for t in (
        _table("tenants", "name* timezone* currency* week_start* created_at:timestamptz", key=""),
        _table("branches", "branch_id* name* timezone", key="branch_id"),
        _table("staff", "staff_id* branch_id name*", key="staff_id"),
        _table(
            "customers",
            "customer_id* name segment source created_at:timestamptz",
            key="customer_id",
            entity="customer_id",
        ),
        _table("parties", "party_id* kind name", key="party_id"),
        _table(
            "users",
            "user_id* branch_id customer_id user_type signed_up_at:timestamptz",
            key="user_id",
            touches="signed_up_at",
            entity="user_id",
        ),
        _table(
            "sessions",
            "session_id* user_id* user_type branch_id started_at:timestamptz* duration_seconds:numeric",
            key="session_id",
            touches="started_at",
        ),
        _table(
            "activation_events",
            "event_id* user_id* event_type* occurred_at:timestamptz*",
            key="event_id",
            touches="occurred_at",
            entity="user_id",
        ),
        _table(
            "jobs",
            "job_id* job_type status* started_at:timestamptz* finished_at:timestamptz",
            key="job_id",
            touches="started_at",
        ),
        _table(
            "leads",
            "lead_id* branch_id staff_id first_name last_name phone email source status* "
            "created_at:timestamptz* updated_at:timestamptz converted_at:timestamptz",
            key="lead_id",
            entity="lead_id",
        ),
        _table(
            "lead_status_changes",
            "change_id* lead_id* status* changed_at:timestamptz*",
            key="change_id",
            entity="lead_id",
        ),
        _table(
            "calls",
            "call_id* lead_id branch_id staff_id direction* status* outcome duration_seconds:numeric "
            "started_at:timestamptz* notes",
            key="call_id",
            touches="started_at",
        ),
        _table(
            "subscriptions",
            "subscription_id* customer_id* plan status* quantity:numeric* unit_amount:numeric* currency* "
            "billing_interval* interval_count:integer* forever_discount_percent:numeric "
            "trial_start:timestamptz trial_end:timestamptz started_at:timestamptz* cancel_at:timestamptz "
            "canceled_at:timestamptz ended_at:timestamptz updated_at:timestamptz",
            key="subscription_id",
            entity="customer_id",
        ),
        _table(
            "subscription_changes",
            "change_id* subscription_id* changed_at:timestamptz* plan status quantity:numeric "
            "unit_amount:numeric currency billing_interval interval_count:integer "
            "forever_discount_percent:numeric",
            key="change_id",
            entity="subscription_id",
        ),
        _table(
            "invoices",
            "invoice_id* customer_id* subscription_id status* amount_due:numeric* amount_paid:numeric* "
            "tax:numeric currency* issued_at:timestamptz* due_at:timestamptz paid_at:timestamptz "
            "attempt_count:integer next_attempt_at:timestamptz",
            key="invoice_id",
            touches="issued_at paid_at",
        ),
        _table(
            "payments",
            "payment_id* invoice_id customer_id status* amount:numeric* currency* "
            "attempted_at:timestamptz* failure_code refunded_amount:numeric",
            key="payment_id",
            touches="attempted_at",
            entity="invoice_id",
        ),
        _table(
            "collaborations",
            "collaboration_id* client_id* vendor1_id* vendor2_id* collaboration_type* "
            "created_at:timestamptz* last_activity_at:timestamptz",
            key="collaboration_id",
            touches="created_at last_activity_at",
            span_days=29,
        ),
        _table(
            "satisfaction_scores",
            "score_id* vendor_id* score:numeric* scored_at:timestamptz*",
            key="score_id",
            touches="scored_at",
        ),
        _table(
            "api_requests",
            "request_id* route status_code:integer* latency_ms:numeric* requested_at:timestamptz*",
            key="request_id",
            touches="requested_at",
        ),
        _table(
            "health_checks",
            "check_id* component* status* cpu_load:numeric memory_rate:numeric checked_at:timestamptz*",
            key="check_id",
            touches="checked_at",
        ),
        _table(
            "marketing_spend",
            "spend_id* spend_date:date* channel amount:numeric* currency*",
            key="spend_id",
            touches="spend_date",
        ),
        _table(
            "finance_inputs",
            "month:date* cash_balance:numeric* monthly_burn:numeric* currency*",
            key="month",
            touches="month",
        ),
        _table(
            "exchange_rates",
            "rate_date:date* currency* units_per_eur:numeric*",
            key="rate_date currency",
            touches="rate_date",
            entity="currency",
            per_tenant=False,
        ),
    )
}
