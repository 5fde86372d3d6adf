"""What `metricpress templates` reads: files, kept templates, what an editor gives back."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import MetricpressError

if TYPE_CHECKING:
    import psycopg

    from orchestration.reports.own.template import OwnTemplate


def file_or_kept(
    conn: psycopg.Connection[Any],
    name: str,
    tenant: str | None,
    report: str | None,
    schema: Path | None,
    translations: Path | None,
) -> OwnTemplate:
    """The template in a file of that name, else the one that is kept."""
    from orchestration.reports.own.store import find
    from orchestration.reports.own.template import OwnTemplate
    from orchestration.warehouse.tenants import require_tenant

    path = Path(name)
    if not path.is_file():
        return find(conn, name, tenant)
    if report is None:
        raise MetricpressError(
            f"{name} is a file: it is not said which report's data it prints",
            remedy="Give --report executive.",
        )
    if tenant is not None:
        require_tenant(conn, tenant)
    return OwnTemplate(
        path.name,
        report,
        text_of(path),
        tenant,
        None,
        json_of(schema),
        json_of(translations),
        is_public=tenant is None,
    )


def edited_source(template: OwnTemplate) -> str:
    """The source as it comes out of $VISUAL or $EDITOR."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise MetricpressError("it is not said what changes", remedy="Give --file FILE, or set EDITOR.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.html.j2"
        path.write_text(template.template_content, encoding="utf-8")
        if subprocess.run([*shlex.split(editor), str(path)], check=False).returncode != 0:
            raise MetricpressError(f"{editor} ended with an error: nothing was changed")
        return path.read_text(encoding="utf-8")


def text_of(file: Path) -> str:
    """The text of a file."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MetricpressError(
            f"cannot read {file}: {reason}", remedy="Name a file of text in UTF-8."
        ) from error


def json_of(file: Path | None) -> dict[str, Any]:
    """The JSON object in a file; empty without one."""
    if file is None:
        return {}
    try:
        content = json.loads(text_of(file))
    except json.JSONDecodeError as error:
        raise MetricpressError(f"{file} is no JSON: {error}", remedy="Correct it.") from error
    if not isinstance(content, dict):
        raise MetricpressError(f"{file} holds no JSON object", remedy="Put it in braces: {...}.")
    return content
