"""Saving own templates: nothing is stored that lint refuses or that cannot be rendered.

Belongs here: what is checked before a row is written, for add, edit and rollback alike. Does not belong here:
the checks themselves (lint.py, render.py) and SQL of the rows (store.py).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from orchestration.errors import MetricpressError
from orchestration.reports.document import figure_values
from orchestration.reports.formatting import parse_locale
from orchestration.reports.own import store
from orchestration.reports.own.lint import Against, LintError, lint
from orchestration.reports.own.parameters import check_all, check_use
from orchestration.reports.own.render import render_sample
from orchestration.reports.own.template import Limits, OwnTemplate
from orchestration.reports.periods import newest_whole_period
from orchestration.reports.request import ReportRequest
from orchestration.reports.service import SENT_FORMATS, build_document
from orchestration.reports.templates import ReportType, available, report_type

Connection = psycopg.Connection[Any]
LONGEST_NAME = 100
#: For a public template: so many tenants' reports are looked at for figures it may name.
_TENANTS = 3


def add(conn: Connection, template: OwnTemplate, limits: Limits, template_dir: Path | None) -> OwnTemplate:
    """Check and store a new template. LintError has every fault."""
    if template.name in available(template_dir):
        raise MetricpressError(
            f"{template.name!r} is a shipped report", remedy="Give the template a name of its own."
        )
    check(conn, template, limits, template_dir)
    return store.insert(conn, template)


def change(
    conn: Connection, current: OwnTemplate, wanted: OwnTemplate, limits: Limits, template_dir: Path | None
) -> OwnTemplate:
    """Check and store a changed template; a new version where its content differs.

    Refused, too, when a subscription that uses it could not be rendered any more.
    """
    check(conn, wanted, limits, template_dir)
    _check_uses(conn, wanted, template_dir)
    return store.update(conn, current, wanted)


def rollback(
    conn: Connection,
    template: OwnTemplate,
    version: int,
    limits: Limits,
    template_dir: Path | None,
    message: str | None = None,
) -> OwnTemplate:
    """The content of an earlier version as the newest; what lay between stays in the history."""
    old = store.at_version(conn, template, version)
    wanted = replace(
        template,
        template_content=old.template_content,
        parameters_schema=old.parameters_schema,
        translations=old.translations,
        message=message or f"back to version {version}",
    )
    return change(conn, template, wanted, limits, template_dir)


def check(conn: Connection, template: OwnTemplate, limits: Limits, template_dir: Path | None) -> None:
    """Refuse a template with faults (LintError) or one that cannot be rendered (TemplateFailure)."""
    name = template.name
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise MetricpressError(
            f"{name[:LONGEST_NAME]!r} is no name",
            remedy=f"Give printable text of 1 to {LONGEST_NAME} letters.",
        )
    for chosen in template.output_formats:
        if chosen not in SENT_FORMATS:
            raise MetricpressError(f"unknown format {chosen!r}", remedy=f"Known: {', '.join(SENT_FORMATS)}.")
    if not template.output_formats:
        raise MetricpressError("a template needs a format", remedy="Give --formats pdf,html.")
    against = against_of(conn, template, template_dir)
    findings = lint(template, against)
    if findings:
        raise LintError(name, findings)
    render_sample(template, against.report, _locale_of(conn, template.tenant_id), limits, template_dir)


def _check_uses(conn: Connection, wanted: OwnTemplate, template_dir: Path | None) -> None:
    """Refuse formats and parameters that a subscription does not go with."""
    report = report_type(wanted.report_type, template_dir)
    for user in store.users(conn, wanted):
        try:
            check_use(wanted, report, user.formats)
            check_all(wanted, report, user.parameters)
        except MetricpressError as error:
            raise MetricpressError(
                f'subscription "{user.subscription}" of {user.tenant_id} could not use it: {error}',
                remedy="Give new parameters a default, or change it first: metricpress subscriptions edit.",
            ) from error


def against_of(conn: Connection, template: OwnTemplate, template_dir: Path | None) -> Against:
    """What a template is linted against, as its tenant's settings and marts stand."""
    report = report_type(template.report_type, template_dir)
    return Against(
        report,
        _languages(conn, template.tenant_id),
        _figure_keys(conn, report, template.tenant_id, template_dir),
        template_dir,
    )


def _languages(conn: Connection, tenant: str | None) -> tuple[str, ...]:
    """Languages of the tenant's reports; for a public template those of all tenants."""
    rows = conn.execute(
        """
        select coalesce(s.locale, 'en') from raw.tenants as t
        left join reporting.tenant_settings as s using (tenant_id)
        where t.deleted_at is null and (%(tenant)s::text is null or t.tenant_id = %(tenant)s)
        union
        select locale from reporting.report_subscriptions
        where locale is not null and deleted_at is null
            and (%(tenant)s::text is null or tenant_id = %(tenant)s)
        """,
        {"tenant": tenant},
    ).fetchall()
    return tuple(sorted({str(parse_locale(row[0]).language) for row in rows}))


def _locale_of(conn: Connection, tenant: str | None) -> str:
    row = conn.execute(
        "select locale from reporting.tenant_settings where tenant_id = %s", [tenant]
    ).fetchone()
    return str(row[0]) if row else "en"


def _figure_keys(
    conn: Connection, report: ReportType, tenant: str | None, template_dir: Path | None
) -> frozenset[str] | None:
    """Metrics of the catalogue, and figures that the report shows now; None before the first build."""
    built = conn.execute(
        "select to_regclass('marts.metric_catalogue') is not null"
        " and to_regclass('marts.tenants') is not null"
    ).fetchone()
    if not built or not built[0]:
        return None
    keys = {row[0] for row in conn.execute("select metric from marts.metric_catalogue").fetchall()}
    tenants = conn.execute(
        """select tenant_id, complete_date, week_start from marts.tenants
        where complete_date is not null and (%(tenant)s::text is null or tenant_id = %(tenant)s)
        order by tenant_id limit %(most)s""",
        {"tenant": tenant, "most": _TENANTS},
    ).fetchall()
    for tenant_id, complete, week_start in tenants:
        for frequency in report.frequencies:
            period = newest_whole_period(frequency, complete, week_start)
            request = ReportRequest(tenant_id, report.name, frequency, *period, template_dir=template_dir)  # type: ignore[arg-type]
            with suppress(MetricpressError):  # a report without data now still has the catalogue's metrics
                shown = figure_values(build_document(conn, request, report))
                keys |= {key for key in shown if not key.endswith((".previous", ".target"))}
    return frozenset(keys)
