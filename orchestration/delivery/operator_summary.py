"""The operator's summary of a day: what was due, what came of it, what is to be done.

Belongs here: its figures, its words, and the row that sees to it that each day is told once. Does not: the
mail (operator_mail) and single alerts (operator).

A day is a calendar day of settings.operator_timezone; a report belongs to the day on which it was due. Each
recipient counts by the newest attempt group; a report that was left out as a whole counts once, as skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from html import escape
from textwrap import fill
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

from orchestration.delivery.planning import Problem, plan
from orchestration.settings import Settings

Connection = psycopg.Connection[Any]

#: Told from this time of the following day on, when what was due late in the evening has come to an end.
TOLD_FROM = time(7)
SLOWEST = 3
#: Of the plain text.
COLUMNS = 79
COUNTS = ("due", "sent", "late", "notices", "failed", "unknown", "held", "skipped", "waiting")
#: The same where columns are narrow.
SHORT = ("due", "sent", "late", "note", "fail", "unkn", "held", "skip", "wait")

_OF_DAY = """
    with newest as (
        select distinct on (d.tenant_id, d.occurrence_id, d.channel, d.recipient) d.*
        from reporting.report_occurrences as o
        join reporting.report_deliveries as d using (tenant_id, occurrence_id)
        where o.due_at >= %(from)s and o.due_at < %(to)s
        order by d.tenant_id, d.occurrence_id, d.channel, d.recipient, d.attempt_group desc
    ),
    due as (
        select o.tenant_id, s.report, s.name, o.occurrence_id, o.due_at, o.is_late, o.state,
            n.delivery_id, n.recipient, n.delivery_status, n.kind, n.next_attempt_at, n.delivered_at,
            n.render_seconds, n.send_seconds
        from reporting.report_occurrences as o
        join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        left join newest as n using (tenant_id, occurrence_id)
        where o.due_at >= %(from)s and o.due_at < %(to)s
    )
"""
_LINES = f"""
    {_OF_DAY}
    select tenant_id, report, count(distinct occurrence_id) as due,
        count(*) filter (where delivery_status = 'sent' and kind = 'report') as sent,
        count(*) filter (
            where delivery_status = 'sent' and kind = 'report'
                and (is_late or delivered_at > due_at + %(after)s)
        ) as late,
        count(*) filter (where delivery_status = 'sent' and kind = 'notice') as notices,
        count(*) filter (where delivery_status = 'failed' and next_attempt_at is null) as failed,
        count(*) filter (where delivery_status = 'unknown') as unknown,
        count(*) filter (where delivery_status = 'held') as held,
        count(*) filter (where delivery_status = 'skipped' or delivery_id is null) as skipped,
        count(*) filter (
            where delivery_status in ('pending', 'rendering', 'ready', 'sending')
                or delivery_status = 'failed' and next_attempt_at is not null
        ) as waiting
    from due group by tenant_id, report order by tenant_id, report
"""
_SLOWEST = f"""
    {_OF_DAY}
    select tenant_id, name as subscription, recipient,
        extract(epoch from delivered_at - due_at)::double precision as seconds,
        render_seconds::double precision as render_seconds, send_seconds::double precision as send_seconds
    from due where delivery_status = 'sent' and not is_late
    order by delivered_at - due_at desc limit {SLOWEST}
"""


@dataclass(frozen=True)
class Line:
    """What came of one report of one tenant: `due` counts reports, the others recipients."""

    tenant_id: str
    report: str
    due: int
    sent: int
    late: int
    notices: int
    failed: int
    unknown: int
    held: int
    skipped: int
    waiting: int


@dataclass(frozen=True)
class Slow:
    """A delivery with the seconds from its due moment to the receiver's answer."""

    tenant_id: str
    subscription: str
    recipient: str
    seconds: float
    render_seconds: float | None
    send_seconds: float | None


@dataclass(frozen=True)
class DaySummary:
    """A day of report executions; `older`: reports due earlier that are still not out."""

    day: date
    timezone: str
    lines: tuple[Line, ...]
    slowest: tuple[Slow, ...]
    problems: tuple[Problem, ...]
    older: int

    def total(self, count: str) -> int:
        """The sum of one of COUNTS."""
        return sum(int(getattr(line, count)) for line in self.lines)

    @property
    def subject(self) -> str:
        """One line for the head of a mail."""
        if not self.lines:
            return f"no report was due on {self.day}"
        open_ = {name: self.total(name) for name in ("failed", "unknown", "held", "waiting")}
        told = ", ".join(f"{count} {name}" for name, count in open_.items() if count)
        notices = self.total("notices")
        words = [f"{self.total('sent')} sent", *([f"{notices} as a notice"] if notices else [])]
        return f"reports of {self.day}: {', '.join(words)}, {told or 'nothing to do'}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"subject": self.subject, "to_do": self.to_do()}

    def to_do(self) -> list[str]:
        """What a person should do, most urgent first; empty on a good day."""
        found = []
        if self.total("failed"):
            found.append(
                "failed: metricpress deliveries list --status failed; deliveries show ID tells why;"
                " when it is mended: deliver resend ID"
            )
        if self.total("unknown"):
            found.append("unknown: ask the recipient; only if it is missing: metricpress deliver resend ID")
        if self.total("held"):
            found.append(
                "held: mend the data, metricpress build, then: metricpress deliver resend --failed-only"
            )
        if self.total("notices"):
            found.append("notices: mend the data, metricpress build, then: metricpress deliver send NAME")
        if self.total("waiting") or self.older:
            found.append("waiting: metricpress deliver --dry-run tells what each waits for")
        found += [f"cannot be planned: {p.tenant_id}: {p.subscription}: {p.message}" for p in self.problems]
        return found

    @property
    def body(self) -> str:
        """Plain text of 80 columns."""
        title = f"Reports due on {self.day:%A} {self.day} ({self.timezone})"
        parts = [title, _table(self.lines) if self.lines else "No report was due."]
        parts += ["\n".join(_wrapped(line) for line in _further(self))] if _further(self) else []
        to_do = [_wrapped(f"- {line}") for line in self.to_do()]
        parts.append("\n".join(["To do:", *to_do]) if to_do else "Nothing to do.")
        return "\n\n".join(parts)

    @property
    def markup(self) -> str:
        """The same as a piece of HTML."""
        title = f"Reports due on {self.day:%A} {self.day} ({self.timezone})"
        parts = [f'<h1 style="font-size:18px;line-height:24px;margin:0 0 12px 0">{escape(title)}</h1>']
        parts.append(_html_table(self.lines) if self.lines else "<p>No report was due.</p>")
        parts += [f"<p>{'<br>'.join(escape(line) for line in _further(self))}</p>"] if _further(self) else []
        to_do = "".join(f"<li>{escape(line)}</li>" for line in self.to_do())
        parts.append(f"<p><b>To do</b></p><ul>{to_do}</ul>" if to_do else "<p>Nothing to do.</p>")
        return "\n".join(parts)


def summarize_day(conn: Connection, settings: Settings, day: date, now: datetime) -> DaySummary:
    """What came of the reports that were due on that day, as it stands at `now`."""
    zone = ZoneInfo(settings.operator_timezone)
    values = {
        "from": datetime.combine(day, time(), zone),
        "to": datetime.combine(day + timedelta(days=1), time(), zone),
        "after": settings.alert_after,
    }
    problems = plan(conn, now)[1]
    with conn.cursor(row_factory=class_row(Line)) as cursor:
        lines = cursor.execute(_LINES.encode(), values).fetchall()
    with conn.cursor(row_factory=class_row(Slow)) as cursor:
        slowest = cursor.execute(_SLOWEST.encode(), values).fetchall()
    older = conn.execute(
        "select count(*) from reporting.report_occurrences"
        " where state in ('pending', 'held') and due_at < %s",
        (values["from"],),
    ).fetchone()
    assert older is not None
    return DaySummary(
        day, settings.operator_timezone, tuple(lines), tuple(slowest), tuple(problems), int(older[0])
    )


def day_to_tell(settings: Settings, now: datetime) -> date | None:
    """Yesterday of the operator's zone, once TOLD_FROM of today has come there."""
    local = now.astimezone(ZoneInfo(settings.operator_timezone))
    return local.date() - timedelta(days=1) if local.time() >= TOLD_FROM else None


def write_summary(conn: Connection, settings: Settings, day: date, now: datetime) -> bool:
    """Write the summary of a day to be sent; False when that day was told already. `conn` in autocommit."""
    known = conn.execute(
        "select 1 from reporting.operator_notices where kind = 'summary' and about = %s", (day.isoformat(),)
    ).fetchone()
    if known is not None:
        return False
    told = summarize_day(conn, settings, day, now)
    written = conn.execute(
        """
        insert into reporting.operator_notices (kind, about, subject, body, markup, next_attempt_at)
        values ('summary', %s, %s, %s, %s, %s)
        on conflict (kind, about, recipient) do nothing returning 1
        """,
        (day.isoformat(), told.subject, told.body, told.markup, now),
    ).fetchone()
    return written is not None


def _wrapped(line: str) -> str:
    return fill(line, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _further(day: DaySummary) -> list[str]:
    found = [
        f"Slowest: {slow.tenant_id}: {slow.subscription} to {slow.recipient}, {_duration(slow.seconds)} after"
        f" it was due{_parts(slow)}"
        for slow in day.slowest
    ]
    if day.older:
        found.append(f"Due earlier and still not out: {day.older}")
    return found


def _parts(slow: Slow) -> str:
    parts = [
        f"{word} in {seconds:.1f} s"
        for word, seconds in (("rendered", slow.render_seconds), ("sent", slow.send_seconds))
        if seconds is not None
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _rows(lines: Sequence[Line]) -> list[list[str]]:
    """Tenant, report and counts; a zero is a dot, so that what is not stands out."""
    rows = [
        [line.tenant_id, line.report, *(str(getattr(line, name) or "·") for name in COUNTS)] for line in lines
    ]
    if len(lines) > 1:
        totals = [sum(getattr(line, name) for line in lines) for name in COUNTS]
        rows.append(["all", "", *(str(total or "·") for total in totals)])
    return rows


def _table(lines: Sequence[Line]) -> str:
    rows = _rows(lines)
    head = ["tenant", "report", *SHORT]
    widths = [max(len(cells[place]) for cells in [head, *rows]) for place in range(2, len(head))]
    # The numbers are shown whole; the names share what they leave.
    text = max(10, (COLUMNS - sum(widths) - len(COUNTS) - 1) // 2)

    def line(cells: Sequence[str]) -> str:
        names = " ".join(f"{_cut(cell, text):<{text}}" for cell in cells[:2])
        numbers = " ".join(f"{cell:>{width}}" for cell, width in zip(cells[2:], widths, strict=True))
        return f"{names} {numbers}".rstrip()

    return "\n".join(line(cells) for cells in [head, *rows])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _html_table(lines: Sequence[Line]) -> str:
    cell = 'style="padding:4px 3px;border-bottom:1px solid #d5d9dd;text-align:{}"'
    left, right = cell.format("left"), cell.format("right")

    def row(cells: Sequence[str], tag: str) -> str:
        marked = (
            f"<{tag} {left if place < 2 else right}>{escape(text)}</{tag}>"
            for place, text in enumerate(cells)
        )
        return f"<tr>{''.join(marked)}</tr>"

    rows = "\n".join(row(cells, "td") for cells in _rows(lines))
    style = 'style="border-collapse:collapse;font-size:13px;margin:0 0 16px 0"'
    return f"<table {style}>\n{row(['tenant', 'report', *SHORT], 'th')}\n{rows}\n</table>"
