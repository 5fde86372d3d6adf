"""From a promise to kept files: rendered once, written once, shared by every recipient.

Belongs here: the key of a rendering, the folder it is kept in, the text part of a mail, and reading it back.
Does not: what a report says (orchestration.reports) and who gets it (service).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import psycopg

from orchestration.delivery.channels.folder import write_atomically
from orchestration.delivery.channels.message import ATTACHED
from orchestration.delivery.channels.parcel import Attachment, Highlight, Summary
from orchestration.delivery.failures import PermanentFailure
from orchestration.delivery.ledger import Rendition
from orchestration.delivery.records import Promise
from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.reports.document import Cards, Document, Figure, Insights
from orchestration.reports.formats.view import STATUS_WORDS, change_words
from orchestration.reports.formatting import Formatter
from orchestration.reports.own import store
from orchestration.reports.own.template import Limits, OwnTemplate
from orchestration.reports.request import Frequency
from orchestration.reports.templates import folders
from orchestration.settings import Settings

Connection = psycopg.Connection[Any]

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "html": "text/html",
    "csv": "text/csv",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: How the files of formats end that are not named after their ending.
ENDINGS = {"csv-raw": "raw.csv"}
#: Parts of the mail itself, kept beside the files so that a later attempt sends the same words.
MAIL_TEXT = "mail.txt"
MAIL_HTML = "mail.html"
#: What Slack shows, kept for the same reason.
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Content:
    """A rendition read back: what one parcel carries."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    summary: Summary | None = None


def template_of(conn: Connection, promise: Promise) -> OwnTemplate | None:
    """The own or public template the promise is rendered with, as it stands now; None for the report's own
    look.
    """
    return store.usable(conn, promise.template_id, promise.tenant_id) if promise.template_id else None


def request_of(promise: Promise, settings: Settings, template: OwnTemplate | None = None) -> ReportRequest:
    """What the renderer is asked for."""
    return ReportRequest(
        tenant_id=promise.tenant_id,
        report=promise.report,
        frequency=cast(Frequency, promise.frequency),
        period_start=promise.period_start,
        period_end=promise.period_end,
        branch_id=promise.branch_id,
        parameters=promise.parameters,
        locale=promise.locale,
        template_dir=settings.template_dir,
        template=template,
        limits=Limits(settings.template_seconds, settings.template_megabytes),
    )


def render_key(promise: Promise, data_version: str, template_version: str) -> str:
    """Equal for deliveries that one rendering serves."""
    parts = (
        promise.tenant_id, promise.report, promise.frequency, promise.period_start.isoformat(),
        promise.period_end.isoformat(), promise.branch_id, promise.parameters, promise.locale,
        sorted(promise.formats), data_version, template_version,
    )  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def template_version(settings: Settings, report: str, template: OwnTemplate | None = None) -> str:
    """Digest of everything a report's look is made of: its templates and the shared ones; after id@version of
    the own template where there is one.
    """
    if template is not None:
        return f"{template.stamp} {template_version(settings, report)}"
    digest = hashlib.sha256()
    for folder in folders(settings.template_dir):
        for path in sorted(_template_files(folder, report)):
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def render_and_keep(
    conn: Connection,
    promise: Promise,
    settings: Settings,
    data_version: str,
    look: str,
    template: OwnTemplate | None = None,
) -> Rendition:
    """Render with `conn` (a snapshot of the marts), keep files and figures. OSError when it cannot write."""
    report = render(conn, request_of(promise, settings, template), promise.formats)
    key = render_key(promise, data_version, look)
    files = keep(report, promise, settings.output_dir, key)
    return Rendition(key, figures_json(report.figures), data_version, look, files)


def keep(report: RenderedReport, promise: Promise, output_dir: Path, key: str) -> list[dict[str, Any]]:
    """Write the rendered files below `output_dir`; returns their entries for the ledger."""
    folder = kept_folder(promise, output_dir) / f"{period_label(promise)}_{key[:12]}"
    stem = file_stem(promise)
    entries = [kept_file(folder / f"{stem}.{name}", name, content) for name, content in report.files.items()]
    text = kept_file(folder / MAIL_TEXT, MAIL_TEXT, text_body(report).encode())
    html = kept_file(folder / MAIL_HTML, MAIL_HTML, report.html_body.encode())
    said = json.dumps(asdict(summary_of(report)), ensure_ascii=False).encode()
    short = kept_file(folder / SUMMARY, SUMMARY, said)
    return [*entries, {**text, "subject": " ".join(report.title.split())}, html, short]


def kept_folder(promise: Promise, output_dir: Path) -> Path:
    """Where what was rendered for a report of a tenant is kept."""
    return output_dir / file_name_part(promise.tenant_id) / promise.report


def kept_file(path: Path, name: str, content: bytes) -> dict[str, Any]:
    """Write one file; returns its entry for the ledger."""
    write_atomically(path, content)
    digest = hashlib.sha256(content).hexdigest()
    return {"format": name, "path": str(path), "bytes": len(content), "sha256": digest}


def preview(conn: Connection, request: ReportRequest, formats: Sequence[str], folder: Path) -> list[Path]:
    """Render into a folder, under the names the mail would carry, the mail's own parts beside them."""
    report = render(conn, request, formats)
    stem = file_stem(request)
    files = {f"{stem}.{ENDINGS.get(name, name)}": content for name, content in report.files.items()}
    files |= {f"{stem}.{MAIL_TEXT}": text_body(report).encode()}
    files |= {f"{stem}.{MAIL_HTML}": report.html_body.encode()}
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def file_stem(asked: Promise | ReportRequest) -> str:
    """Tenant, branch, report, frequency and period as the name of a file."""
    parts = (asked.tenant_id, asked.branch_id, asked.report, asked.frequency, period_label(asked))
    return "_".join(file_name_part(part) for part in parts if part)


def intact(files: Iterable[Mapping[str, Any]]) -> bool:
    """Whether every kept file is still what was rendered."""
    return all(
        Path(entry["path"]).is_file()
        and hashlib.sha256(Path(entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
        for entry in files
    )


def read_back(files: Iterable[Mapping[str, Any]]) -> Content:
    """The content of kept files. Raises PermanentFailure when one is missing or was changed."""
    subject, text, html, summary = "", "", "", None
    attachments = []
    for entry in files:
        content = _read(entry)
        match entry["format"]:
            case "mail.txt":
                subject, text = entry["subject"], content.decode()
            case "mail.html":
                html = content.decode()
            case "summary.json":
                summary = _summary(json.loads(content))
            case name:
                filename = Path(entry["path"]).name
                attachments.append(Attachment(name, filename, MEDIA_TYPES[name], content, entry["path"]))
    return Content(subject, text, html, tuple(attachments), summary)


def text_body(report: RenderedReport) -> str:
    """The text part of the mail: headline, what happened, cards, where the data stands."""
    document = report.document
    text = Formatter.of(document.locale)
    lines = [report.title, ""]
    lines += [line for line in (document.headline, document.standfirst, document.empty) if line]
    if happened := _insights(document):
        lines += ["", *happened]
    cards = [f"{figure.label}: {_value(figure, text)}" for figure in _cards(document)]
    if cards:
        lines += ["", *cards]
    moment, zone = text.moment(document.as_of), document.timezone
    lines += ["", text.t("Data as of {moment} ({timezone}).", moment=moment, timezone=zone)]
    if report.files:
        lines.append(text.t(ATTACHED))
    lines += [footer for footer in ("", document.brand.footer) if document.brand.footer]
    return "\n".join(lines) + "\n"


def summary_of(report: RenderedReport) -> Summary:
    """The report in short, its numbers and dates in its locale."""
    document = report.document
    text = Formatter.of(document.locale)
    lines = (document.headline, document.standfirst, document.empty, *_insights(document), *document.warnings)
    cards = list(_cards(document))
    return Summary(
        title=", ".join(part for part in (f"{document.title}: {document.tenant}", document.branch) if part),
        period=document.period_words,
        as_of=f"{text.moment(document.as_of)} ({document.timezone})",
        lines=tuple(line for line in lines if line),
        # All cards of a report are compared with the same period: said once.
        against=next((figure.comparison.label for figure in cards if figure.comparison), ""),
        highlights=tuple(_highlight(figure, text) for figure in cards),
    )


def figures_json(figures: Mapping[str, Any]) -> str:
    """A flat JSON object; a Decimal keeps all its digits, which the json module would not."""

    def literal(value: Any) -> str:
        return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)

    return "{" + ", ".join(f"{json.dumps(key)}: {literal(value)}" for key, value in figures.items()) + "}"


def period_label(asked: Promise | ReportRequest) -> str:
    """The period as part of a file name: 2026-11-20, 2026-11-16_2026-11-22, 2026-11."""
    if asked.frequency == "monthly":
        return f"{asked.period_start:%Y-%m}"
    if asked.frequency == "daily":
        return asked.period_end.isoformat()
    return f"{asked.period_start}_{asked.period_end}"


def _highlight(figure: Figure, text: Formatter) -> Highlight:
    status = figure.target.status if figure.target else None
    return Highlight(
        label=figure.label,
        value=text.figure(figure, compact=True),
        change=_movement(figure, text) if figure.value is not None else figure.reason,
        status=text.t(STATUS_WORDS[status]) if status else "",
    )


def _summary(kept: dict[str, Any]) -> Summary:
    highlights = tuple(Highlight(**entry) for entry in kept["highlights"])
    return Summary(**{**kept, "lines": tuple(kept["lines"]), "highlights": highlights})


def _value(figure: Figure, text: Formatter) -> str:
    value, change = text.figure(figure), _movement(figure, text)
    if figure.comparison is None or not change:
        return value
    return text.t("{value} ({change} against {period})", value=value, change=change,
                  period=figure.comparison.label)  # fmt: skip


def _movement(figure: Figure, text: Formatter) -> str:
    """`up 4.2%`, `unchanged`, or nothing."""
    change = text.change(figure)
    if figure.comparison is None or not change:
        return ""
    return change_words(figure, text)


def _cards(document: Document) -> Iterator[Figure]:
    for block in document.front:
        if isinstance(block, Cards):
            yield from block.figures


def _insights(document: Document) -> list[str]:
    """What happened, below the headline."""
    blocks = (block for block in document.front_below_headline() if isinstance(block, Insights))
    return [insight.text for block in blocks for insight in block.insights]


def _template_files(folder: Path, report: str) -> Iterator[Path]:
    yield from (path for path in folder.glob("*") if path.is_file())
    for name in (report, "partials", "styles"):
        yield from (path for path in (folder / name).rglob("*") if path.is_file())


def _read(entry: Mapping[str, Any]) -> bytes:
    path = Path(entry["path"])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PermanentFailure(f"the rendered file {path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise PermanentFailure(f"the rendered file {path} was changed after it was rendered")
    return content


def file_name_part(text: str) -> str:
    """Text as part of the name of a file or folder; different texts may give the same."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in text)
