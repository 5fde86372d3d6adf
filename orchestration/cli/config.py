"""metricpress config: settings and targets of a tenant, and the currency of the installation."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table, remark
from orchestration.cli.main import new_app
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.warehouse.metric_targets import MetricTarget

app = new_app(
    help="Read and change settings and targets of a tenant. KEY is a setting such as gross_margin, or"
    " METRIC.FIELD for a target, where FIELD is target, benchmark, good_from or warning_from."
)
TenantId = Annotated[str, typer.Argument(metavar="TENANT")]
#: Settings that no figure depends on, like those of the brand.
AT_ONCE = ("locale", "allowed_recipient_domains", "retention_days")
NOT_CHECKED = "The marts are not built yet, so the name of the metric was not checked."


def _target_key(key: str) -> tuple[str, str] | None:
    """(metric, field) when the key names a target."""
    metric, _, field = key.rpartition(".")
    return (
        (metric, field) if metric and field in ("target", "benchmark", "good_from", "warning_from") else None
    )


@app.command()
def get(
    tenant_id: TenantId,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Default: everything.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the settings and targets of a tenant, or the value of one KEY."""
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.metric_targets import ALWAYS, read_targets
    from orchestration.warehouse.tenant_settings import SETTINGS, check_setting, read_settings
    from orchestration.warehouse.tenants import require_tenant

    with connect(Settings.from_env()) as connection:
        require_tenant(connection, tenant_id)
        settings, targets = read_settings(connection, tenant_id), read_targets(connection, tenant_id)
    named = [asdict(target) for target in targets]
    target_key = _target_key(key) if key else None
    if target_key is not None:
        metric, field = target_key
        of_metric = [target for target in named if target["metric"] == metric]
        print_table(
            of_metric, ("branch_id", "grain", "valid_from", field), as_json=as_json, empty=f"{key} is not set"
        )
    elif key is not None:
        if key not in settings:
            check_setting(key, None)  # says which there are
        print_json(settings[key]) if as_json else print(_shown(settings[key]))
    elif as_json:
        print_json({"settings": settings, "targets": named})
    else:
        rows = [
            {
                "setting": name,
                "value": _shown(value),
                "": "" if value == SETTINGS[name].default else "changed",
            }
            for name, value in settings.items()
        ]
        print_table(rows, ("setting", "value", ""))
        columns = ("metric", "branch_id", "grain", "target", "benchmark", "good_from", "warning_from")
        told = [c for c in columns if any(target[c] is not None for target in named)]
        if any(target["valid_from"] != ALWAYS for target in named):
            told.append("valid_from")
        print()
        print_table(named, told, empty="no targets")


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ",".join(value) or "(empty)"
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    return (
        text if len(text) <= 60 or not text.startswith("data:") else f"{text[:30]}... ({len(text):,} bytes)"
    )


@app.command("set")
def set_value(
    tenant_id: TenantId,
    key: Annotated[str, typer.Argument(help="A setting, or METRIC.FIELD.")],
    value: Annotated[str, typer.Argument(help="The value, or none, or default.")],
    branch: Annotated[str | None, typer.Option(help="For a target: of this branch alone.")] = None,
    grain: Annotated[
        str | None, typer.Option(help="For a target: meant for day, week or month; default: each.")
    ] = None,
    valid_from: Annotated[str | None, typer.Option(help="For a target: from this day on.")] = None,
) -> None:
    """Set one setting or target; in force from the next build."""
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenant_settings import check_setting, write_settings
    from orchestration.warehouse.tenants import require_tenant

    target_key = _target_key(key)
    checked = None if target_key else check_setting(key, value)
    if target_key is None and (branch or grain or valid_from):
        raise MetricpressError("--branch, --grain and --valid-from belong to targets, not to settings")
    with connect(Settings.from_env()) as connection:
        require_tenant(connection, tenant_id)
        if target_key is None:
            write_settings(connection, tenant_id, {key: checked})
        else:
            which = {"branch_id": branch, "grain": grain, "valid_from": valid_from}
            checked = _set_target(connection, tenant_id, target_key, value, which)
    since = "now" if key in AT_ONCE or key.startswith("brand.") else "the next build"
    print(f"{tenant_id}: {key} is {_shown(checked)} from {since} on.")
    _advise(tenant_id, {key: checked})


def _advise(tenant_id: str, settings: dict[str, Any]) -> None:
    """Tell of brand colours that reports have to darken."""
    from orchestration.reports.brand import colour_advice

    for key, value in settings.items():
        if key.startswith("brand.colours.") and value is not None:
            advice = colour_advice(value)
            if advice:
                remark(f"{tenant_id}: {key}: {advice}")


def _set_target(
    connection: psycopg.Connection[Any],
    tenant_id: str,
    key: tuple[str, str],
    value: str,
    which: dict[str, str | None],
) -> Any:
    """Change one field of a target, keeping its other fields; the value as stored."""
    from orchestration.warehouse.metric_targets import (
        check_number,
        read_targets,
        require_branch,
        require_metric,
        target_from,
        write_target,
    )

    metric, field = key
    wanted = target_from({"metric": metric, **which})
    number = None if value == "default" else check_number(f"{metric}.{field}", value)
    if not require_metric(connection, metric):
        remark(NOT_CHECKED)
    if wanted.branch_id is not None:
        require_branch(connection, tenant_id, wanted.branch_id)
    present = [target for target in read_targets(connection, tenant_id, metric) if target.key == wanted.key]
    change: dict[str, Any] = {field: number}
    write_target(connection, tenant_id, replace(present[0] if present else wanted, **change))
    return number


@app.command("reporting-currency")
def reporting_currency(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="ISO 4217, or none; left out: print it.")
    ] = None,
) -> None:
    """Print or set the currency of the mart portfolio_metrics, in which all tenants are added up.

    Unset, it is the currency the tenants share; where they differ, the portfolio has no money.
    """
    from orchestration.marts.portfolio import read_reporting_currency, write_reporting_currency
    from orchestration.warehouse.connection import connect

    with connect(Settings.from_env()) as connection:
        if code is None:
            print(_shown(read_reporting_currency(connection)))
            return
        write_reporting_currency(connection, None if code == "none" else code)
    print(f"The reporting currency is {code} from the next build on.")


@app.command()
def export(
    tenant_id: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Default: all.")] = None,
) -> None:
    """Print settings that differ from their defaults, and targets, as YAML for `config import`."""
    import yaml

    from orchestration.warehouse.audit import record_action
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.metric_targets import read_targets
    from orchestration.warehouse.tenant_settings import SETTINGS, read_settings
    from orchestration.warehouse.tenants import all_tenants, require_tenant

    exported: dict[str, Any] = {}
    with connect(Settings.from_env()) as connection:
        if tenant_id is not None:
            require_tenant(connection, tenant_id)
        tenants = [tenant_id] if tenant_id is not None else [t.tenant_id for t in all_tenants(connection)]
        for tenant in tenants:
            settings = read_settings(connection, tenant)
            changed = {name: _yaml(v) for name, v in settings.items() if v != SETTINGS[name].default}
            exported[tenant] = {"settings": changed, "targets": _exported(read_targets(connection, tenant))}
        record_action(connection, "export", "settings", tenant_id or "all tenants", tenant=tenant_id)
    print(yaml.safe_dump(exported, sort_keys=False, allow_unicode=True), end="")


def _exported(targets: list[MetricTarget]) -> list[dict[str, Any]]:
    return [{k: _yaml(v) for k, v in asdict(target).items() if v is not None} for target in targets]


def _yaml(value: Any) -> Any:
    """Numerics as text, so that not a digit is lost; moments in ISO 8601."""
    return value if isinstance(value, str | int | list | None) else _shown(value)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML as `config export` prints it.")],
) -> None:
    """Set all that a YAML file names, or nothing when a part of it is wrong; what it does not name stays."""
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.metric_targets import require_branch, require_metric, write_target
    from orchestration.warehouse.tenant_settings import write_settings
    from orchestration.warehouse.tenants import require_tenant

    wanted = {tenant: _checked(tenant, content) for tenant, content in _read_yaml(file).items()}
    with connect(Settings.from_env()) as connection:
        checked = True
        for tenant, (settings, targets) in wanted.items():
            require_tenant(connection, tenant)
            write_settings(connection, tenant, settings)
            for target in targets:
                checked = require_metric(connection, target.metric) and checked
                if target.branch_id is not None:
                    require_branch(connection, tenant, target.branch_id)
                write_target(connection, tenant, target)
    if not checked:
        remark(NOT_CHECKED)
    for tenant, (settings, targets) in wanted.items():
        print(f"{tenant}: {len(settings)} settings and {len(targets)} targets set.")
        _advise(tenant, settings)


def _read_yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MetricpressError(f"cannot read {file}: {error}") from error
    except yaml.YAMLError as error:
        raise MetricpressError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise MetricpressError(
            f"{file} names no tenants", remedy="See the form with: metricpress config export"
        )
    return {str(tenant): part for tenant, part in content.items()}


def _checked(tenant: str, content: Any) -> tuple[dict[str, Any], list[MetricTarget]]:
    """Settings and targets of one tenant in a file; errors name the tenant."""
    from orchestration.warehouse.metric_targets import target_from
    from orchestration.warehouse.tenant_settings import check_setting

    content = {} if content is None else content
    form = "Give it settings: (name: value) and targets: (a list of mappings)."
    if not isinstance(content, dict) or set(content) - {"settings", "targets"}:
        raise MetricpressError(f"{tenant}: neither settings nor targets", remedy=form)
    settings, targets = content.get("settings") or {}, content.get("targets") or []
    if not isinstance(settings, dict) or not isinstance(targets, list):
        raise MetricpressError(f"{tenant}: settings or targets of the wrong form", remedy=form)
    if not all(isinstance(target, dict) for target in targets):
        raise MetricpressError(f"{tenant}: a target is no mapping", remedy=form)
    try:
        checked = {name: check_setting(name, value) for name, value in settings.items()}
        return checked, [target_from(target) for target in targets]
    except MetricpressError as error:
        raise MetricpressError(f"{tenant}: {error}", remedy=error.remedy) from error
