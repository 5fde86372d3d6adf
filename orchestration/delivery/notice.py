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
from orchestration.reports.formatting import Formatter
from orchestration.reports.request import Frequency
from orchestration.reports.templates import report_type
from orchestration.settings import Settings

_WHY = {
    "unbuilt": "There are no data for this report yet.",
    "incomplete": "The data of the period have not arrived in full.",
    "unchecked": "The data did not pass their checks, so that no figure of the report could be relied upon.",
    "building": "The data are still being prepared.",
}
_PARAGRAPH = "margin:0 0 14px 0"
_SHEET = "width:100%;max-width:600px;background-color:#ffffff;border-top:4px solid #8a5a00"
_TEXT = "font-family:Helvetica,Arial,sans-serif;font-size:15px;line-height:23px;color:#1d2125"


def keep_notice(promise: Promise, ready: Readiness, settings: Settings) -> list[dict[str, Any]]:
    """Write text and markup of the notice below the output folder; returns their entries for the ledger.

    Raises OSError when it cannot write. Numbers stand in dates only, in the subscription's locale; the words
    are English, as those of the reports.
    """
    subject, lines = _words(promise, ready, settings)
    folder = kept_folder(promise, settings.output_dir)
    folder /= f"{period_label(promise)}_notice_{str(promise.occurrence_id)[:12]}"
    text = kept_file(folder / MAIL_TEXT, MAIL_TEXT, ("\n\n".join([subject, *lines]) + "\n").encode())
    html = kept_file(folder / MAIL_HTML, MAIL_HTML, _markup(subject, lines).encode())
    return [{**text, "subject": subject}, html]


def _words(promise: Promise, ready: Readiness, settings: Settings) -> tuple[str, list[str]]:
    """Subject and paragraphs."""
    form = Formatter.of(promise.locale)
    period = form.period(promise.period_start, promise.period_end, cast(Frequency, promise.frequency))
    title = _title(promise, settings)
    subject = " ".join(f"Data incomplete: {title}, {promise.tenant}, {period}".split())
    needed = f"The report needs data through {form.day(promise.period_end)}"
    through = ready.complete_through
    stand = f"; they are complete through {form.day(through)}." if through else "; none are complete yet."
    return subject, [
        f"The report {title} for {promise.tenant}, {period}, was due and could not be made.",
        _WHY[ready.cause],
        needed + stand,
        "This notice comes in place of the report. Whoever runs the reports has been told.",
    ]


def _title(promise: Promise, settings: Settings) -> str:
    try:
        return report_type(promise.report, settings.template_dir).title
    except MetricpressError:  # the report was removed: the notice is due all the same
        return promise.subscription


def _markup(subject: str, lines: list[str]) -> str:
    paragraphs = "".join(f'<p style="{_PARAGRAPH}">{escape(line)}</p>' for line in lines)
    table = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="{}">'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
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
