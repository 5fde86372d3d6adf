"""The demo: shipped data in, marts built through Dagster, due reports in a folder.

Belongs here: the steps, what the demo's tenants are set to and what they subscribed to. Does not belong here:
how a step works (sources, marts, delivery) and how it is shown (cli/demo.py).
"""

from __future__ import annotations

import time as clock
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg

from orchestration.delivery.calendar import Frequency
from orchestration.delivery.outcome import DispatchResult
from orchestration.errors import MetricpressError
from orchestration.marts.build import build, last_project_hash, row_counts
from orchestration.marts.dbt import project_hash
from orchestration.marts.plan import Request, make_plan
from orchestration.marts.portfolio import read_reporting_currency, write_reporting_currency
from orchestration.settings import Settings
from orchestration.sources.files.load import LoadResult, load
from orchestration.sources.files.options import LoadOptions
from orchestration.sources.generate.samples import complete_samples, sample_rows
from orchestration.warehouse.connection import connect
from orchestration.warehouse.metric_targets import MetricTarget, write_target
from orchestration.warehouse.migrate import migrate
from orchestration.warehouse.tenant_settings import check_setting, read_settings, write_settings

SAMPLE_DATA = Path(__file__).resolve().parents[1] / "sample_data"

#: Opens a bar: a description and how many steps; yields advance(steps, total=..., description=...).
Bar = Callable[[str, float | None], AbstractContextManager[Callable[..., None]]]
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class SampleTenant:
    """A tenant of the demo: where its history ends, its look and its goals."""

    tenant_id: str
    timezone: str
    clock_stops_at: datetime
    settings: dict[str, str]
    targets: tuple[MetricTarget, ...] = ()


@dataclass(frozen=True)
class Order:
    """A report subscription of the demo; the report of the period before `starts_on` is due first."""

    tenant_id: str
    report: str
    frequency: Frequency
    starts_on: date


def _goal(
    metric: str, target: str, warning_from: str, benchmark: str | None = None, grain: str | None = None
) -> MetricTarget:
    return MetricTarget(
        metric,
        grain=grain,
        target=Decimal(target),
        good_from=Decimal(target),
        warning_from=Decimal(warning_from),
        benchmark=None if benchmark is None else Decimal(benchmark),
    )


TENANTS = (
    SampleTenant(
        "ev-workplace",
        "America/New_York",
        datetime(2015, 10, 5, 12),
        {"brand.colours.primary": "#1b6b52", "brand.colours.accent": "#d08a2e"},
        (_goal("total_sessions", "175", "105", grain="week"),),
    ),
    SampleTenant(
        "lisbon-bank",
        "Europe/Lisbon",
        datetime(2010, 11, 27, 12),
        {"brand.colours.primary": "#7a2138", "brand.colours.accent": "#c79a3a"},
        (
            _goal("lead_conversion_rate", "0.12", "0.08", "0.1127"),
            _goal("call_success_rate", "0.95", "0.8"),
        ),
    ),
    SampleTenant(
        "ravenstack",
        "America/Los_Angeles",
        datetime(2025, 1, 1, 12),
        {
            "gross_margin": "0.78",
            "brand.colours.primary": "#26324b",
            "brand.colours.accent": "#c8553d",
        },
        (_goal("mrr", "10000000", "9000000"), _goal("customer_churn_rate", "0.02", "0.04")),
    ),
    SampleTenant(
        "sakura-weddings",
        "Asia/Tokyo",
        datetime(2025, 4, 1, 12),
        {
            "gross_margin": "0.7",
            "brand.colours.primary": "#8c2f5c",
            "brand.colours.accent": "#4f7f8c",
            "brand.footer": "Sakura Weddings is a made-up business: all of its figures are generated.",
        },
        (
            _goal("mrr", "4000000", "3000000"),
            _goal("lead_conversion_rate", "0.2", "0.12"),
            _goal("call_success_rate", "0.55", "0.45"),
            _goal("api_error_rate", "0.005", "0.01"),
        ),
    ),
)
ORDERS = (
    Order("ev-workplace", "executive", "weekly", date(2015, 10, 4)),
    Order("lisbon-bank", "lead_performance", "daily", date(2010, 11, 27)),
    Order("lisbon-bank", "lead_performance", "weekly", date(2010, 11, 22)),
    Order("ravenstack", "executive", "weekly", date(2024, 12, 29)),
    Order("ravenstack", "executive", "monthly", date(2025, 1, 1)),
    Order("sakura-weddings", "executive", "daily", date(2025, 4, 1)),
    Order("sakura-weddings", "executive", "weekly", date(2025, 3, 31)),
    Order("sakura-weddings", "executive", "monthly", date(2025, 4, 1)),
    Order("sakura-weddings", "lead_performance", "weekly", date(2025, 3, 31)),
)


#: Of the portfolio: the tenants have euros, dollars and yen.
REPORTING_CURRENCY = "USD"


@dataclass(frozen=True)
class SampleLoad:
    """One entry of sample_data/loads.toml: the rows it yields and how many of them the loader refuses."""

    table: str
    files: tuple[str, ...]
    rows: int
    tenant: str | None = None
    select: str | None = None
    rejected: int = 0
    reason: str = ""


@dataclass
class DemoResult:
    """What the demo did; `rejected` are the refused rows with the published file's fault."""

    loads: list[tuple[SampleLoad, LoadResult]] = field(default_factory=list)
    generated: dict[str, int] = field(default_factory=dict)
    built: bool = False
    run_id: str | None = None
    marts: dict[str, int] = field(default_factory=dict)
    dispatch: DispatchResult | None = None
    documents: list[Path] = field(default_factory=list)
    outbox: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def changed_rows(self) -> int:
        """Rows that the loads added or changed."""
        return sum(result.new + result.changed for _, result in self.loads)


def sample_loads(folder: Path = SAMPLE_DATA) -> list[SampleLoad]:
    """The loads of the demo in order."""
    manifest = tomllib.loads((folder / "loads.toml").read_text(encoding="utf-8"))
    return [SampleLoad(**{**entry, "files": tuple(entry["files"])}) for entry in manifest["load"]]


def run(settings: Settings, bar: Bar) -> DemoResult:
    """Do all of it. What stands already is left alone: nothing is loaded, built or sent a second time.

    Mail goes to the folder outbox, whatever METRICPRESS_SMTP_URL says. Raises MetricpressError when a load
    does not give what sample_data/loads.toml says, or a step fails.
    """
    settings = replace(settings, smtp_url=None)
    result = DemoResult(outbox=settings.home / "outbox")
    with _step(result, "database"), bar("Starting PostgreSQL", None):
        migrate(settings)
    with connect(settings) as conn:
        with _step(result, "load"):
            result.loads = load_samples(conn, bar)
        with _step(result, "generate"), bar("Generating the rest", sample_rows()) as advance:
            result.generated = complete_samples(conn, lambda _tenant, _table, rows: advance(rows))
        set_up_tenants(conn)
        order_reports(conn)
        conn.commit()
        result.built = is_build_needed(conn)
        conn.rollback()
    if result.built:
        with _step(result, "build"), bar("Starting Dagster", None) as advance:
            result.run_id = _build(settings, advance)
    with _step(result, "deliver"), bar("Sending reports", None) as advance:
        result.dispatch = _deliver(settings, advance)
    if result.dispatch.sent:
        # What was sent is a mart too.
        with _step(result, "usage"), bar("Taking in what was sent", None):
            build(settings)
    with connect(settings, "pipeline") as conn:
        result.marts = row_counts(conn)
        result.documents = _documents(conn, settings)
    return result


def load_samples(conn: Connection, bar: Bar) -> list[tuple[SampleLoad, LoadResult]]:
    """Load every file of the manifest; raises MetricpressError when one gives other counts than it says."""
    entries = sample_loads()
    results = []
    with bar("Loading", sum(entry.rows for entry in entries)) as advance:
        for entry in entries:
            advance(0, description=f"Loading {entry.tenant or 'all'}: {entry.table}"[:40])
            result = load(
                conn,
                entry.table,
                [SAMPLE_DATA / name for name in entry.files],
                LoadOptions(
                    tenant=entry.tenant,
                    select=SAMPLE_DATA / "select" / entry.select if entry.select else None,
                ),
            )
            conn.commit()
            _expect(entry, result)
            results.append((entry, result))
            advance(entry.rows)
    return results


def _expect(entry: SampleLoad, result: LoadResult) -> None:
    rows = result.new + result.changed + result.unchanged + result.rejected
    if (rows, result.rejected) != (entry.rows, entry.rejected):
        first = f"; first: {result.reasons[0]}" if result.reasons else ""
        raise MetricpressError(
            f"{entry.tenant or 'all tenants'}, raw.{entry.table}: {rows} rows, {result.rejected} rejected;"
            f" {entry.rows} and {entry.rejected} are expected{first}",
            remedy="Check the files: python sample_data/make.py FOLDER --check (see sample_data/SOURCES.md).",
            exit_code=result.exit_code or 2,
        )


def set_up_tenants(conn: Connection) -> None:
    """Settings and targets of the demo's tenants, and the currency of all; what is set is left alone."""
    if read_reporting_currency(conn) is None:
        write_reporting_currency(conn, REPORTING_CURRENCY)
    for tenant in TENANTS:
        if read_settings(conn, tenant.tenant_id)["clock_stops_at"] is not None:
            continue
        stops_at = tenant.clock_stops_at.replace(tzinfo=ZoneInfo(tenant.timezone))
        values = {"clock_stops_at": stops_at.isoformat(), **tenant.settings}
        write_settings(
            conn, tenant.tenant_id, {name: check_setting(name, value) for name, value in values.items()}
        )
        for target in tenant.targets:
            write_target(conn, tenant.tenant_id, target)


def order_reports(conn: Connection) -> None:
    """The demo's subscriptions, those that were never there: a deleted one does not come back."""
    from orchestration.delivery import subscriptions

    for order in ORDERS:
        name = f"{order.report.replace('_', ' ').capitalize()}, {order.frequency}"
        known = conn.execute(
            "select from reporting.report_subscriptions where tenant_id = %s and name = %s",
            (order.tenant_id, name),
        ).fetchone()
        if known is None:
            subscriptions.add(
                conn,
                subscriptions.Subscription(
                    tenant_id=order.tenant_id,
                    name=name,
                    report=order.report,
                    frequency=order.frequency,
                    recipients=[f"board@{order.tenant_id}.example.org"],
                    starts_on=order.starts_on,
                    # The clocks of these tenants stand some days after their last week began to be due.
                    max_lateness=timedelta(days=7),
                ),
            )


def is_build_needed(conn: Connection) -> bool:
    """Whether a build would change a mart: a rehearsal of its plan, undone by the caller's rollback."""
    if last_project_hash(conn) != project_hash():
        return True
    with conn.transaction(force_rollback=True):
        return not make_plan(conn, uuid4(), Request(), models_stand=True).is_empty


def _build(settings: Settings, advance: Callable[..., None]) -> str:
    from orchestration.defs.local import build_marts  # seconds of imports, needed for a build only

    return build_marts(
        settings,
        lambda done, total, name: advance(1, total=total, description=f"Building {name}"[:40]),
    )


def _deliver(settings: Settings, advance: Callable[..., None]) -> DispatchResult:
    from orchestration.delivery.service import dispatch, has_work  # brings the reports with it

    with connect(settings, "pipeline", autocommit=True) as conn:
        if not has_work(conn, datetime.now(UTC)):
            return DispatchResult(0, ())
    return dispatch(
        settings,
        progress=lambda done, total, name: advance(1, total=total, description=f"Sending {name}"[:40]),
    )


def _documents(conn: Connection, settings: Settings) -> list[Path]:
    """The PDFs that were sent to the demo's tenants, the newest run's and older ones."""
    rows = conn.execute(
        """
        select d.files
        from reporting.report_deliveries as d
        where d.tenant_id = any(%s) and d.delivery_status = 'sent'
        order by d.tenant_id, d.delivered_at
        """,
        ([tenant.tenant_id for tenant in TENANTS],),
    ).fetchall()
    files = (cast("dict[str, Any]", entry) for (entries,) in rows for entry in entries or ())
    paths = (settings.output_dir / str(file["path"]) for file in files if file.get("format") == "pdf")
    return list(dict.fromkeys(paths))


@contextmanager
def _step(result: DemoResult, name: str) -> Iterator[None]:
    started = clock.monotonic()
    yield
    result.seconds[name] = clock.monotonic() - started
