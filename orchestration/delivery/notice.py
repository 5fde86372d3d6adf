"""The plain notice that goes out in place of a report whose data did not come, or did not hold, in time.

Belongs here: its words and its markup. Does not: when it is due (service) and figures: it shows none, since
none of them can be trusted.
"""

from __future__ import annotations

from html import escape
from typing import Any, cast

from orchestration.delivery.readiness import Readiness
from orchestration.delivery.records import Promise
from orchestration.delivery.rendering import (
    MAIL_HTML,
    MAIL_TEXT,
    kept_file,
    kept_folder,
    period_label,
)
from orchestration.errors import MetricpressError
from orchestration.reports.formatting import Formatter, require_language
from orchestration.reports.messages import N_
from orchestration.reports.request import Frequency
from orchestration.reports.templates import report_type
from orchestration.settings import Settings

_WHY = {
    "unbuilt": N_("There are no data for this report yet."),
    "incomplete": N_("The data of the period have not arrived in full."),
    "unchecked": N_(
        "The data did not pass their checks, so that no figure of the report could be relied upon."
    ),
    "building": N_("The data are still being prepared."),
}
_PARAGRAPH = "margin:0 0 14px 0"
_SHEET = "width:100%;max-width:600px;background-color:#ffffff;border-top:4px solid #8a5a00"
_TEXT = "font-family:Helvetica,Arial,sans-serif;font-size:15px;line-height:23px;color:#1d2125"


def keep_notice(promise: Promise, ready: Readiness, settings: Settings) -> list[dict[str, Any]]:
    """Write text and markup of the notice below the output folder; returns their entries for the ledger.

    Raises OSError when it cannot write, MetricpressError for a language that reports are not written in.
    """
    require_language(promise.locale)
    form = Formatter.of(promise.locale)
    subject, lines = _words(promise, ready, settings, form)
    folder = kept_folder(promise, settings.output_dir)
    folder /= f"{period_label(promise)}_notice_{str(promise.occurrence_id)[:12]}"
    text = kept_file(folder / MAIL_TEXT, MAIL_TEXT, ("\n\n".join([subject, *lines]) + "\n").encode())
    html = kept_file(folder / MAIL_HTML, MAIL_HTML, _markup(subject, lines, form.language).encode())
    return [{**text, "subject": subject}, html]


def _words(promise: Promise, ready: Readiness, settings: Settings, form: Formatter) -> tuple[str, list[str]]:
    """Subject and paragraphs."""
    period = form.period(promise.period_start, promise.period_end, cast(Frequency, promise.frequency))
    about = {"title": _title(promise, settings, form), "tenant": promise.tenant, "period": period}
    subject = form.t("Data incomplete: {title}, {tenant}, {period}", **about)
    needed, through = form.day(promise.period_end), ready.complete_through
    return " ".join(subject.split()), [
        form.t("The report {title} for {tenant}, {period}, was due and could not be made.", **about),
        form.t(_WHY[ready.cause]),
        form.t("The report needs data through {day}; they are complete through {through}.", day=needed,
               through=form.day(through)) if through
        else form.t("The report needs data through {day}; none are complete yet.", day=needed),
        form.t("This notice comes in place of the report. Whoever runs the reports has been told."),
    ]  # fmt: skip


def _title(promise: Promise, settings: Settings, form: Formatter) -> str:
    try:
        return form.t(report_type(promise.report, settings.template_dir).title)
    except MetricpressError:  # the report was removed: the notice is due all the same
        return promise.subscription


def _markup(subject: str, lines: list[str], language: str) -> str:
    paragraphs = "".join(f'<p style="{_PARAGRAPH}">{escape(line)}</p>' for line in lines)
    table = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="{}">'
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(subject)}</title></head>"
        # The sheet of the report's mail, whose closing words follow on the same ground.
        '<body style="margin:0;padding:0;background-color:#ececea">'
        f"{table.format('background-color:#ececea')}"
        f'<tr><td align="center" style="padding:24px 8px">{table.format(_SHEET)}'
        f'<tr><td style="padding:28px 32px 18px 32px;{_TEXT}">'
        f'<h1 style="font-size:19px;line-height:26px;margin:0 0 14px 0">{escape(subject)}</h1>'
        f"{paragraphs}</td></tr></table></td></tr></table></body></html>\n"
    )
