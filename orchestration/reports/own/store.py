"""Own templates in reporting.report_templates: rows, their history, who uses them.

Belongs here: SQL. Does not belong here: what may be saved (saving.py). Versions are numbered and kept by the
database; nothing is ever taken out of the history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from orchestration.errors import MetricpressError
from orchestration.reports.own.template import OwnTemplate

Connection = psycopg.Connection[Any]
_COLUMNS = ", ".join(f"t.{one.name}" for one in fields(OwnTemplate))
#: Who may use a template: its tenant, and everybody one that is public.
_USABLE = "t.deleted_at is null and t.is_active and (t.is_public or t.tenant_id = %(tenant)s)"


@dataclass(frozen=True)
class Version:
    """One version of a template: who made it, when and why."""

    version: int
    created_at: datetime
    created_by: str
    message: str | None
    bytes: int


@dataclass(frozen=True)
class User:
    """A subscription that uses a template, and what it asks of it."""

    tenant_id: str
    subscription: str
    formats: Sequence[str]
    parameters: Mapping[str, Any]


def listed(conn: Connection, tenant: str | None = None) -> list[OwnTemplate]:
    """All templates, or those a tenant may use, by tenant and name; the installation's first."""
    return _rows(
        conn,
        f"""select {_COLUMNS} from reporting.report_templates as t
        where t.deleted_at is null and (%(tenant)s::text is null or {_USABLE})
        order by t.tenant_id nulls first, t.name""",
        tenant=tenant,
    )


def find(conn: Connection, key: str, tenant: str | None = None) -> OwnTemplate:
    """The one template with that name or id: of the tenant, else public; an unknown one is a
    MetricpressError.
    """
    templates = listed(conn, tenant)
    found = [one for one in templates if key in (one.name, str(one.template_id))]
    own = [one for one in found if tenant is not None and one.tenant_id == tenant]
    if len(own or found) == 1:
        return (own or found)[0]
    whose = f" of tenant {tenant}" if tenant else ""
    if not found:
        near = get_close_matches(key, [one.name for one in templates], n=3)
        raise MetricpressError(
            f"there is no template {key!r}{whose}",
            remedy=f"Did you mean {', '.join(near)}?" if near else "See: metricpress templates list",
        )
    raise MetricpressError(f"{len(found)} templates are called {key!r}", remedy="Give --tenant, or the id.")


def usable(conn: Connection, template_id: UUID, tenant: str) -> OwnTemplate:
    """The template with that id, which the tenant may use; else a MetricpressError."""
    found = _rows(
        conn,
        f"select {_COLUMNS} from reporting.report_templates as t where t.template_id = %(key)s and {_USABLE}",
        key=template_id,
        tenant=tenant,
    )
    if not found:
        raise MetricpressError(
            f"tenant {tenant} has no template {template_id}", remedy="See: metricpress templates list"
        )
    return found[0]


def history(conn: Connection, template: OwnTemplate) -> list[Version]:
    """Every version, the newest first."""
    with conn.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(
            """select version, created_at, created_by, message, octet_length(template_content) as bytes
            from reporting.report_template_versions where template_id = %s order by version desc""",
            [template.template_id],
        ).fetchall()


def at_version(conn: Connection, template: OwnTemplate, version: int) -> OwnTemplate:
    """The template as it was; an unknown version is a MetricpressError that names the last."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            """select template_content, parameters_schema, translations, message, version,
                created_at as updated_at, created_by
            from reporting.report_template_versions where template_id = %s and version = %s""",
            [template.template_id, version],
        ).fetchone()
    if found is None:
        raise MetricpressError(
            f"template {template.name} has no version {version}",
            remedy=f"It has versions 1 to {template.version}.",
        )
    return replace(template, **found)


def insert(conn: Connection, template: OwnTemplate) -> OwnTemplate:
    """Store a new template as version 1; a name that is taken is a MetricpressError."""
    try:
        with conn.transaction():
            row = conn.execute(
                """insert into reporting.report_templates (tenant_id, name, description, report_type,
                    template_content, parameters_schema, translations, output_formats, is_public, message)
                values (%(tenant_id)s, %(name)s, %(description)s, %(report_type)s, %(template_content)s,
                    %(parameters_schema)s, %(translations)s, %(output_formats)s, %(is_public)s, %(message)s)
                returning template_id""",
                _values(template),
            ).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise MetricpressError(
            f"there is a template {template.name!r} already",
            remedy="Change it with: metricpress templates edit; or give another name.",
        ) from error
    assert row is not None
    return _by_id(conn, row[0])


def update(conn: Connection, current: OwnTemplate, wanted: OwnTemplate) -> OwnTemplate:
    """Store a changed template, as a new version where its content differs.

    Raises MetricpressError when somebody changed it since `current` was read.
    """
    with conn.transaction():
        changed = conn.execute(
            """update reporting.report_templates set description = %(description)s,
                template_content = %(template_content)s, parameters_schema = %(parameters_schema)s,
                translations = %(translations)s, output_formats = %(output_formats)s, message = %(message)s
            where template_id = %(template_id)s and version = %(version)s and deleted_at is null""",
            _values(wanted) | {"template_id": current.template_id, "version": current.version},
        )
        if changed.rowcount != 1:
            raise MetricpressError(
                f"template {current.name} was changed meanwhile", remedy="Look at it and try again."
            )
        return _by_id(conn, current.template_id)


def users(conn: Connection, template: OwnTemplate) -> list[User]:
    """The subscriptions that use a template."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(
            """select tenant_id, name as subscription, formats, parameters from reporting.report_subscriptions
            where template_id = %s and deleted_at is null and origin = 'standing' order by tenant_id, name""",
            [template.template_id],
        ).fetchall()


def delete(conn: Connection, template: OwnTemplate) -> None:
    """Take a template out of use; its versions stay, for reports were made with them."""
    with conn.transaction():
        # The row first: a subscription that begins to use it waits, and is then refused.
        conn.execute(
            "select from reporting.report_templates where template_id = %s for update", [template.template_id]
        )
        using = users(conn, template)
        if using:
            named = ", ".join(f'"{one.subscription}" of {one.tenant_id}' for one in using)
            raise MetricpressError(
                f"template {template.name} is used by {named}",
                remedy="Give them another: metricpress subscriptions edit NAME --template OTHER (or none).",
            )
        conn.execute(
            "update reporting.report_templates set deleted_at = clock_timestamp(), is_active = false"
            " where template_id = %s",
            [template.template_id],
        )


def _by_id(conn: Connection, template_id: UUID | None) -> OwnTemplate:
    return _rows(
        conn,
        f"select {_COLUMNS} from reporting.report_templates as t where t.template_id = %(key)s",
        key=template_id,
    )[0]


def _rows(conn: Connection, statement: str, **values: Any) -> list[OwnTemplate]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows: Sequence[dict[str, Any]] = cursor.execute(statement, values).fetchall()
    return [OwnTemplate(**{**row, "output_formats": tuple(row["output_formats"])}) for row in rows]


def _values(template: OwnTemplate) -> dict[str, Any]:
    return {
        "tenant_id": template.tenant_id,
        "name": template.name,
        "description": template.description,
        "report_type": template.report_type,
        "template_content": template.template_content,
        "parameters_schema": Jsonb(dict(template.parameters_schema)),
        "translations": Jsonb(dict(template.translations)),
        "output_formats": list(template.output_formats),
        "is_public": template.is_public,
        "message": template.message,
    }
