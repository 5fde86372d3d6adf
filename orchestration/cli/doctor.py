"""metricpress doctor: what an installation needs, whether it is there, and how to mend what is not.

Belongs here: the checks. Does not belong here: mending; each remedy is a command for the user.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import smtplib
import ssl
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import typer

from orchestration.cli.console import AsJson, print_json
from orchestration.dev import target_of
from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

OLDEST_PYTHON, TOO_NEW_PYTHON = (3, 11), (3, 15)
PROJECT = Path(__file__).resolve().parents[2]
#: What WeasyPrint opens: name for the linker, file on Debian, package of Debian.
LIBRARIES = (
    ("pango-1.0", "libpango-1.0.so.0", "libpango-1.0-0"),
    ("pangoft2-1.0", "libpangoft2-1.0.so.0", "libpangoft2-1.0-0"),
    ("harfbuzz-subset", "libharfbuzz-subset.so.0", "libharfbuzz-subset0"),
)
ANSWER_SECONDS = 10
#: From this version of the server on, createrole gives no power over roles of others.
ROLES_APART = 160000


@dataclass(frozen=True)
class Finding:
    """Outcome of one check: fine, a remark that stops nothing, or broken."""

    check: str
    state: str  # fine | remark | broken
    detail: str
    remedy: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check Python, Pango, database, migrations, dbt manifest, SMTP, Slack; exit code 1 if one is broken."""
    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        marks = {"fine": "ok", "remark": "--", "broken": "!!"}
        for finding in findings:
            head = f"{marks[finding.state]}  {finding.check:<13}"
            for text in filter(None, (finding.detail, finding.remedy)):
                print(fill(text, _width(), initial_indent=head, subsequent_indent=" " * len(head)))
                head = " " * len(head)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(EXIT_CHECK_FAILED)


def _width() -> int:
    return shutil.get_terminal_size().columns


def examine() -> list[Finding]:
    """Run all checks; one that fails says so and stops none of the others."""
    findings = [check_python(), check_pango()]
    try:
        settings = Settings.from_env()
    except MetricpressError as error:
        return [*findings, Finding("environment", "broken", str(error), error.remedy)]
    checks: tuple[tuple[str, Callable[[Settings], list[Finding]]], ...] = (
        ("database", check_database),
        ("dbt manifest", check_manifest),
        ("SMTP", check_smtp),
        ("mail", check_mail),
        ("Slack", check_slack),
        ("outbox", check_outbox),
        ("output", check_output),
    )
    for name, check in checks:
        try:
            findings += check(settings)
        except MetricpressError as error:
            findings.append(Finding(name, "broken", str(error), error.remedy))
    return findings


def check_python() -> Finding:
    """The interpreter is one the dependencies are made for."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if OLDEST_PYTHON <= sys.version_info[:2] < TOO_NEW_PYTHON:
        return Finding("Python", "fine", version)
    remedy = "Use Python 3.11 to 3.14, remove .venv, and run: make setup"
    return Finding("Python", "broken", version, remedy)


def check_pango() -> Finding:
    """The libraries that PDF needs can be opened; without harfbuzz-subset a page takes 2.5 times as long."""
    missing = [package for name, file, package in LIBRARIES if not _opens(name, file)]
    remedy = f"On Debian or Ubuntu: sudo apt-get install -y {' '.join(missing)}"
    if not missing:
        return Finding("Pango", "fine", "with harfbuzz-subset")
    if missing == ["libharfbuzz-subset0"]:
        return Finding("Pango", "remark", "without harfbuzz-subset: PDF pages take 2.5 times as long", remedy)
    return Finding("Pango", "broken", f"missing: {', '.join(missing)}; no PDF can be made", remedy)


def _opens(name: str, file: str) -> bool:
    for candidate in (file, ctypes.util.find_library(name)):
        if candidate:
            try:
                ctypes.CDLL(candidate)
            except OSError:
                continue
            return True
    return False


def check_database(settings: Settings) -> list[Finding]:
    """The database answers and is at the newest migration. A stopped embedded server is started."""
    from orchestration.warehouse.connection import connect, database_url, place
    from orchestration.warehouse.migrate import migration_state
    from orchestration.warehouse.server import EmbeddedServer

    if settings.database_url is None and EmbeddedServer(settings.home).status() == "absent":
        return [Finding("database", "broken", f"none yet in {settings.home}", "Run: metricpress migrate")]
    with connect(settings) as connection:
        kind = "embedded" if settings.database_url is None else "by URL"
        version = connection.info.parameter_status("server_version")
        detail = f"PostgreSQL {version} ({kind}) at {place(database_url(settings))}"
        found = [Finding("database", "fine", detail)]
        state = migration_state(connection)
        audit = check_audit(connection) if state.is_newest else None
    if audit is not None:
        return [*found, Finding("migrations", "fine", f"at {state.current}, the newest"), audit]
    detail = f"at {state.current or 'none'}, the newest is {state.newest}"
    return [*found, Finding("migrations", "broken", detail, "Run: metricpress migrate")]


def check_audit(connection: psycopg.Connection[Any]) -> Finding:
    """The audit log is told of every GRANT in the database, and no role can take on the owner's."""
    row = connection.execute(
        """
        select
            exists (
                select from pg_event_trigger where evtname = 'metricpress_grants' and evtenabled <> 'D'
            ),
            (select count(*) from pg_roles where rolcreaterole and not rolsuper and rolname <> current_user)
        """
    ).fetchone()
    assert row is not None
    told, creators = row
    if not told:
        return Finding(
            "audit log",
            "remark",
            "the user of the database is no superuser: of grants only those by metricpress are told",
            'See docs/runbook.md, "Read the audit log".',
        )
    if creators and connection.info.server_version < ROLES_APART:
        return Finding(
            "audit log",
            "remark",
            f"before PostgreSQL 16 a role with createrole can take on the owner's: there are {creators}",
            "Take createrole from them, or use PostgreSQL 16 or newer.",
        )
    return Finding("audit log", "fine", "told of every grant in the database")


def check_manifest(settings: Settings) -> list[Finding]:
    """Dagster reads the manifest dbt makes when it parses the models; a stale one shows old models."""
    manifest = target_of(settings.home) / "manifest.json"
    remedy = "Run: make dev (or: python -m orchestration.dev --prepare), which parses the models"
    if not manifest.is_file():
        return [Finding("dbt manifest", "broken", "none yet", remedy)]
    made = manifest.stat().st_mtime
    folders = ("models", "macros", "seeds", "tests")
    sources = [path for folder in folders for path in (PROJECT / "dbt_project" / folder).rglob("*.*")]
    newer = [
        path for path in sources if path.suffix in (".sql", ".yml", ".csv") and path.stat().st_mtime > made
    ]
    if newer:
        detail = f"older than {len(newer)} of {len(sources)} files of dbt_project"
        return [Finding("dbt manifest", "remark", detail, remedy)]
    return [Finding("dbt manifest", "fine", f"newer than its {len(sources)} files")]


def check_smtp(settings: Settings) -> list[Finding]:
    """The mail server answers, encrypts and takes the login; nothing is sent."""
    if settings.smtp_url is None:
        detail = f"not set: mail is written to {settings.home / 'outbox'}"
        return [Finding("SMTP", "remark", detail, "Set METRICPRESS_SMTP_URL to send mail.")]
    parts = urlsplit(settings.smtp_url)
    host, secure = parts.hostname or "", parts.scheme == "smtps"
    where = f"{host}:{parts.port or (465 if secure else 587)}"
    remedy = "Check METRICPRESS_SMTP_URL: smtp://user:password@host:587 or smtps://user:password@host:465"
    context = ssl.create_default_context()
    try:
        server = (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=ANSWER_SECONDS, context=context)
            if secure
            else smtplib.SMTP(host, parts.port or 587, timeout=ANSWER_SECONDS)
        )
        with server:
            server.ehlo()
            encrypted = secure or server.has_extn("starttls")
            if encrypted and not secure:
                server.starttls(context=context)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
    except (OSError, smtplib.SMTPException) as error:
        return [Finding("SMTP", "broken", f"{where}: {' '.join(str(error).split())}", remedy)]
    if not encrypted:
        return [Finding("SMTP", "remark", f"{where} answers, but does not encrypt")]
    return [Finding("SMTP", "fine", f"{where} answers, encrypted")]


def check_mail(settings: Settings) -> list[Finding]:
    """Mails have a sender that servers take, and tell recipients how to unsubscribe."""
    from orchestration.delivery.channels.message import Composer

    composer = Composer.of(settings)
    found = []
    if settings.smtp_url and settings.mail_from == Settings.mail_from:
        detail = f"sent by {settings.mail_from}, which few servers take"
        found.append(Finding("mail", "remark", detail, "Set METRICPRESS_MAIL_FROM to an address of yours."))
    if composer.unsubscribing is None:
        missing = " and ".join(
            name
            for name, value in (
                ("METRICPRESS_SIGNING_KEY", settings.signing_keys),
                ("METRICPRESS_UNSUBSCRIBE_ADDRESS", settings.unsubscribe_address),
            )
            if not value
        )
        remedy = f"Set {missing}; docs/runbook.md, Mail, tells how."
        found.append(Finding("unsubscribe", "remark", "mails tell nobody how to unsubscribe", remedy))
    else:
        found.append(Finding("unsubscribe", "fine", f"by mail to {composer.unsubscribing.address}"))
    return found


def check_slack(settings: Settings) -> list[Finding]:
    """Slack knows the bot of SLACK_BOT_TOKEN, and it has its scopes; nothing is posted."""
    if settings.slack_bot_token is None:
        return []
    from orchestration.delivery.channels.slack import SlackChannel
    from orchestration.delivery.failures import DeliveryFailure

    remedy = 'See docs/runbook.md, "Slack and webhooks".'
    channel = SlackChannel(settings.slack_bot_token, settings.slack_api_base, {}, seconds=ANSWER_SECONDS)
    try:
        who, missing = channel.identity()
    except DeliveryFailure as error:
        return [Finding("Slack", "broken", str(error), remedy)]
    if missing:
        return [Finding("Slack", "broken", f"{who} lacks {', '.join(missing)}", remedy)]
    return [Finding("Slack", "fine", f"{who} may post messages and files")]


def check_outbox(settings: Settings) -> list[Finding]:
    """Nothing is kept from going out unseen."""
    if not settings.outbox_only:
        return []
    detail = f"METRICPRESS_OUTBOX_ONLY is set: all goes to {settings.home / 'outbox'}, nothing to recipients"
    return [Finding("outbox", "remark", detail, "Unset it to send.")]


def check_output(settings: Settings) -> list[Finding]:
    """Reports can be written."""
    folder = settings.output_dir
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        remedy = "Set METRICPRESS_OUTPUT_DIR to a folder that can be written."
        return [Finding("output", "broken", f"{folder} cannot be written", remedy)]
    return [Finding("output", "fine", str(folder))]
