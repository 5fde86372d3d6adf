"""The generated part of the demo: a whole business, and what the real data sets lack.

Belongs here: the plans of the demo's tenants and which tables each of them needs. Does not belong here: the
real part (sample_data/loads.toml) and figures that real rows feed: nothing here changes a row that is there.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from orchestration.sources.generate.plans import TenantPlan, tenant_seed
from orchestration.sources.generate.write import (
    Connection,
    Progress,
    generate_tenant,
    planned_rows,
    prepare,
    run_step,
    statements,
)

SEED = 7

SAKURA = TenantPlan(
    tenant_id="sakura-weddings",
    name="Sakura Weddings",
    timezone="Asia/Tokyo",
    currency="JPY",
    week_start="monday",
    seed=tenant_seed("sakura-weddings", SEED),
    first_day=dt.date(2024, 4, 1),
    days=365,
    users=1_500,
    customers=240,
    sessions=45_000,
    leads=1_800,
    calls=4_600,
    subscriptions=280,
    collaborations=1_200,
    clients=380,
    vendors=64,
    jobs=3_000,
    api_requests=24_000,
    check_hours=6,
    branches=3,
    staff=9,
    spend_a_week=120_000,
    foreign_currencies=("USD", "EUR"),
    foreign_share=0.25,
    branch_names=("Ginza", "Omotesando", "Yokohama"),
    staff_names=(
        "Aoi Abe",
        "Daichi Endo",
        "Emi Fujita",
        "Haruto Goto",
        "Hina Hayashi",
        "Kaito Ishii",
        "Mei Kimura",
        "Ren Maeda",
        "Yui Nakano",
    ),
)

#: Of RavenStack only what its publisher does not offer; its clock is that of the published files.
RAVENSTACK = TenantPlan(
    tenant_id="ravenstack",
    name="RavenStack",
    timezone="America/Los_Angeles",
    currency="USD",
    week_start="sunday",
    seed=tenant_seed("ravenstack", SEED),
    first_day=dt.date(2023, 1, 1),
    days=731,
    jobs=6_000,
    api_requests=36_000,
    check_hours=6,
    spend_a_week=40_000,
)
RAVENSTACK_STEPS: tuple[tuple[str, str | None], ...] = (
    ("billing_terms_of_raw", None),
    ("billing", None),
    ("spend", None),
    ("jobs", "jobs"),
    ("api_requests", "api_requests"),
    ("health_checks", None),
)
#: Written last: when it is there, everything of the tenant is.
RAVENSTACK_LAST = "select exists (select from raw.health_checks where tenant_id = %s)"


def sample_rows() -> int:
    """What `progress` adds up to for `complete_samples`."""
    return planned_rows(SAKURA) + RAVENSTACK.jobs + RAVENSTACK.api_requests


def complete_samples(conn: Connection, progress: Progress | None = None) -> dict[str, int]:
    """Add the generated rows of the demo's tenants; returns new rows by raw table, none the second time.

    The real rows must be loaded: RavenStack's bills follow its subscriptions.
    """
    written = Counter(generate_tenant(conn, SAKURA, progress))
    with conn.transaction():
        conn.execute(statements("lisbon_house"))
        written.update(_complete_ravenstack(conn, progress))
    return dict(written)


def _complete_ravenstack(conn: Connection, progress: Progress | None) -> Counter[str]:
    written: Counter[str] = Counter()
    row = conn.execute(RAVENSTACK_LAST, (RAVENSTACK.tenant_id,)).fetchone()
    if row is not None and row[0]:
        if progress:
            progress(RAVENSTACK.tenant_id, "health_checks", RAVENSTACK.jobs + RAVENSTACK.api_requests)
        return written
    prepare(conn, RAVENSTACK)
    for name, sized_by in RAVENSTACK_STEPS:
        written.update(run_step(conn, RAVENSTACK, name, sized_by, progress))
    return written
