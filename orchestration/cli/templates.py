"""metricpress templates: reports in a tenant's own form, kept in versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, Yes, confirm, print_json, print_table, progress, remark
from orchestration.cli.main import new_app
from orchestration.cli.on_demand import Branch, Frequency, Locale, Param, Period
from orchestration.cli.template_files import edited_source, file_or_kept, json_of, text_of
from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.reports.own.template import Limits, OwnTemplate

app = new_app(help="Reports in a tenant's own form, kept in versions. NAME is a template's name or id.")

Name = Annotated[str, typer.Argument(metavar="NAME")]
Tenant = Annotated[str | None, typer.Option(help="Whose template; default: the only one of that name.")]
File = typer.Option(metavar="FILE", help="The template: HTML with Jinja.")
Schema = typer.Option(metavar="FILE", help="JSON Schema of its own parameters.")
Translations = typer.Option(metavar="FILE", help="JSON: language to text to translation.")
Formats = typer.Option("--format", metavar="FORMATS", help="Those it is offered in: pdf,html,xlsx,csv,json")
Message = typer.Option("--message", "-m", help="Why; shown in the history.")
Description = typer.Option(help="What it is for.")
ReportType = typer.Option("--report", help="The report whose data it prints.")


@app.command("list")
def list_templates(
    tenant: Annotated[str | None, typer.Option(help="Only what this tenant may use.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped reports, the public templates, and those of tenants."""
    from orchestration.reports.own.store import listed
    from orchestration.reports.templates import available
    from orchestration.warehouse.tenants import require_tenant

    settings = Settings.from_env()
    with _connection(settings) as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        own = listed(conn, tenant)
    rows: list[dict[str, Any]] = [
        {"name": name, "of": "shipped", "report": name, "version": None, "changed": None}
        for name in available(settings.template_dir)
    ]
    rows += [_row(template) for template in own]
    print_table(rows, ("name", "of", "report", "version", "changed"), as_json=as_json)


@app.command()
def add(
    name: Name,
    *,
    report: Annotated[str, ReportType],
    file: Annotated[Path, File],
    tenant: Annotated[str | None, typer.Option(help="Whose template it is.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Offer it to all tenants (the installation's owner).")
    ] = False,
    schema: Annotated[Path | None, Schema] = None,
    translations: Annotated[Path | None, Translations] = None,
    formats: Annotated[str, Formats] = "pdf,html",
    description: Annotated[str | None, Description] = None,
    message: Annotated[str | None, Message] = None,
    as_json: AsJson = False,
) -> None:
    """Check a template, print it once with made-up data, and keep it as version 1."""
    from orchestration.reports.own import saving
    from orchestration.reports.own.template import OwnTemplate
    from orchestration.warehouse.tenants import require_tenant

    if (tenant is None) != public:
        raise MetricpressError(
            "a template belongs to a tenant or is public", remedy="Give --tenant T, or --public."
        )
    settings = Settings.from_env()
    wanted = OwnTemplate(
        name, report, text_of(file), tenant, description, json_of(schema), json_of(translations),
        _split(formats),
        is_public=public, message=message,
    )  # fmt: skip
    with _connection(settings, public) as conn, progress(f"checking {name}"):
        if tenant is not None:
            require_tenant(conn, tenant)
        stored = saving.add(conn, wanted, _limits(settings), settings.template_dir)
    _tell(stored, as_json, "added")


@app.command()
def show(
    name: Name,
    *,
    tenant: Tenant = None,
    version: Annotated[int | None, typer.Option(metavar="N", help="Print that version's source.")] = None,
    source: Annotated[bool, typer.Option("--source", help="Print the newest source.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a template and its history, or print the source of a version."""
    from orchestration.reports.own import store

    with _connection(Settings.from_env()) as conn:
        template = store.find(conn, name, tenant)
        shown = template if version is None else store.at_version(conn, template, version)
        versions, users = store.history(conn, template), store.users(conn, template)
    if as_json:
        told = {"history": [asdict(one) for one in versions], "users": [asdict(one) for one in users]}
        print_json(asdict(shown) | told)
        return
    if source or version is not None:
        print(shown.template_content, end="" if shown.template_content.endswith("\n") else "\n")
        return
    facts = _row(template) | {
        "id": template.template_id,
        "description": template.description,
        "formats": template.output_formats,
        "parameters": list(template.parameters_schema.get("properties") or ()),
        "languages": list(template.translations),
        "used by": "\n".join(f"{one.tenant_id}: {one.subscription}" for one in users),
    }
    rows = [
        {"field": field, "value": value} for field, value in facts.items() if value not in (None, "", [], ())
    ]
    print_table(rows, ("field", "value"))
    print()
    history = [
        asdict(one) | {"when": f"{one.created_at:%Y-%m-%d %H:%M}", "who": one.created_by} for one in versions
    ]
    print_table(history, ("version", "when", "who", "bytes", "message"))


@app.command()
def edit(
    name: Name,
    *,
    tenant: Tenant = None,
    file: Annotated[Path | None, File] = None,
    schema: Annotated[Path | None, Schema] = None,
    translations: Annotated[Path | None, Translations] = None,
    formats: Annotated[str | None, Formats] = None,
    description: Annotated[str | None, Description] = None,
    message: Annotated[str | None, Message] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given, or the source in $EDITOR; a change of the content is a new version."""
    from orchestration.reports.own import saving, store

    settings = Settings.from_env()
    with _connection(settings) as conn:
        current = store.find(conn, name, tenant)
    given = {
        "template_content": text_of(file) if file else None,
        "parameters_schema": json_of(schema) if schema else None,
        "translations": json_of(translations) if translations else None,
        "output_formats": _split(formats) if formats else None,
        "description": description,
    }
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    edited = None if changes else edited_source(current)
    if edited is not None:
        changes = {"template_content": edited}
    wanted = replace(current, **changes)
    if wanted == current:
        remark("Nothing changed.")
        return
    with _connection(settings, current.is_public) as conn, progress(f"checking {name}"):
        wanted = replace(wanted, message=message)
        try:
            stored = saving.change(conn, current, wanted, _limits(settings), settings.template_dir)
        except MetricpressError:
            if edited is not None:
                kept = Path(f"{current.template_id}.html.j2")
                kept.write_text(edited, encoding="utf-8")
                remark(f"What you wrote is in {kept}: correct it, then give it with --file.")
            raise
    _tell(stored, as_json, "changed")


@app.command()
def delete(name: Name, *, tenant: Tenant = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take a template out of use; refused while subscriptions use it. Its history is kept."""
    from orchestration.reports.own import store

    settings = Settings.from_env()
    with _connection(settings) as conn:
        template = store.find(conn, name, tenant)
    with _connection(settings, template.is_public) as conn:
        if not store.users(conn, template):
            confirm(f"Delete the template {template.name}?", yes)
        store.delete(conn, template)
    _tell(template, as_json, "deleted")


@app.command()
def lint(
    name: Annotated[str, typer.Argument(metavar="FILE|NAME")],
    *,
    tenant: Tenant = None,
    report: Annotated[str | None, ReportType] = None,
    schema: Annotated[Path | None, Schema] = None,
    translations: Annotated[Path | None, Translations] = None,
    as_json: AsJson = False,
) -> None:
    """Name every fault of a file or a kept template with its line and column; ends with 1 when there is one.

    A file needs --report; with --tenant it is checked for that tenant's languages and figures.
    """
    from orchestration.reports.own.lint import lint as findings_of
    from orchestration.reports.own.saving import against_of

    settings = Settings.from_env()
    with _connection(settings) as conn:
        template = file_or_kept(conn, name, tenant, report, schema, translations)
        against = against_of(conn, template, settings.template_dir)
    findings = findings_of(template, against)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{name}:{finding}")
        if against.figure_keys is None:
            remark("The marts are not built yet, so the names of figures were not checked.")
    if findings:
        raise typer.Exit(EXIT_CHECK_FAILED)
    if not as_json:
        print(f"{name}: no faults.")


@app.command()
def preview(
    name: Annotated[str, typer.Argument(metavar="FILE|NAME")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose figures.")],
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("preview"),
    report: Annotated[str | None, ReportType] = None,
    schema: Annotated[Path | None, Schema] = None,
    translations: Annotated[Path | None, Translations] = None,
    frequency: Frequency = None,
    period: Period = None,
    branch: Branch = None,
    param: Param = None,
    locale: Locale = None,
    formats: Annotated[str, typer.Option("--format", metavar="FORMATS", help="html,pdf")] = "html,pdf",
    as_json: AsJson = False,
) -> None:
    """Print a file or a kept template with a tenant's figures into a folder; nothing is kept or sent.

    Without --period: the last whole one of the report's shortest frequency.
    """
    from orchestration.cli.on_demand import parameter_from
    from orchestration.delivery.requests import OnDemand
    from orchestration.delivery.requests import preview as render_preview
    from orchestration.reports.templates import report_type

    settings = Settings.from_env()
    with _connection(settings) as conn:
        template = file_or_kept(conn, name, tenant, report, schema, translations)
    shortest = report_type(template.report_type, settings.template_dir).frequencies[0]
    asked = OnDemand(
        tenant=tenant, report=template.report_type, frequency=frequency or (None if period else shortest),
        period=period, branch=branch, locale=locale, formats=_split(formats),
        parameters=dict(parameter_from(text) for text in param or ()),
    )  # fmt: skip
    with progress(f"rendering {name}"):
        _, paths = render_preview(settings, asked, folder, template=template)
    made = [
        path for path in paths if path.suffix.lstrip(".") in _split(formats) and ".mail." not in path.name
    ]
    print_json([{"path": path} for path in made]) if as_json else print(*made, sep="\n")


@app.command()
def rollback(
    name: Name,
    *,
    to: Annotated[int | None, typer.Option(metavar="N", help="The version; default: the one before.")] = None,
    tenant: Tenant = None,
    message: Annotated[str | None, Message] = None,
    as_json: AsJson = False,
) -> None:
    """Make an earlier version's content the newest version; nothing is lost."""
    from orchestration.reports.own import saving, store

    settings = Settings.from_env()
    with _connection(settings) as conn:
        current = store.find(conn, name, tenant)
    if to is None and current.version == 1:
        raise MetricpressError(
            f"template {name} has one version only", remedy="There is nothing to go back to."
        )
    with _connection(settings, current.is_public) as conn, progress(f"checking {name}"):
        version = to if to is not None else current.version - 1
        stored = saving.rollback(conn, current, version, _limits(settings), settings.template_dir, message)
    if stored.version == current.version:
        remark("That is what the newest version holds already: nothing changed.")
        return
    _tell(stored, as_json, f"is as version {version} again")


@contextmanager
def _connection(settings: Settings, as_owner: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """In the role that delivers; what is public changes in that of the installation's owner."""
    from orchestration.warehouse.connection import connect

    with connect(
        settings, "owner" if as_owner else "pipeline", application_name="metricpress templates"
    ) as conn:
        yield conn


def _limits(settings: Settings) -> Limits:
    from orchestration.reports.own.template import Limits

    return Limits(settings.template_seconds, settings.template_megabytes)


def _row(template: OwnTemplate) -> dict[str, Any]:
    return {
        "name": template.name,
        "of": template.tenant_id or "public",
        "report": template.report_type,
        "version": template.version,
        "changed": f"{template.updated_at:%Y-%m-%d}" if template.updated_at else None,
    }


def _tell(template: OwnTemplate, as_json: bool, what: str) -> None:
    if as_json:
        print_json(asdict(template))
    else:
        number = "" if what == "deleted" else f" (version {template.version})"
        print(f"Template {template.name} {what}{number}.")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
