"""A parcel as a message of Slack: Block Kit blocks within Slack's limits, and the text of its notification.

Belongs here: layout, escaping and cutting. Does not: calls to Slack (slack.py) and the words of a report
(rendering.summary_of).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from orchestration.delivery.channels.parcel import Highlight, Parcel, Summary

HEADER_CHARACTERS = 150
TEXT_CHARACTERS = 3_000
FIELD_CHARACTERS = 2_000
FIELDS = 10
#: Slack takes 50 blocks; ten figures in each of four of them are more than anybody reads in a message.
MOST_FIELDS = 40

Block = dict[str, Any]


def message(parcel: Parcel, *, files_follow: bool) -> tuple[str, list[Block]]:
    """The notification's text, and the blocks; with `files_follow` the files come in the thread."""
    said = parcel.summary
    if said is None:
        text = parcel.text.removeprefix(parcel.subject).strip() or parcel.subject
        return _escaped(parcel.subject, FIELD_CHARACTERS), [_header(parcel.subject), _section(text)]
    blocks = [_header(said.title), _context(_about_time(parcel, said))]
    if said.lines:
        blocks.append(_section("\n".join(said.lines[1:]), headline=said.lines[0]))
    blocks += _figures(said.highlights[:MOST_FIELDS])
    if parcel.attachments:
        blocks.append(_context(_files(parcel, files_follow)))
    text = " – ".join((parcel.subject, *said.lines[:1]))
    return _escaped(text, FIELD_CHARACTERS), blocks


def as_file(parcel: Parcel) -> bytes:
    """The message as JSON, for the outbox."""
    text, blocks = message(parcel, files_follow=False)
    said = {"channel": parcel.recipient, "text": text, "blocks": blocks}
    return json.dumps(said, ensure_ascii=False, indent=1).encode()


def _about_time(parcel: Parcel, said: Summary) -> str:
    late = parcel.about is not None and parcel.about.is_late
    text = parcel.words
    against = text.t("Compared with {period}", period=said.against) if said.against else ""
    as_of = text.t("Data as of {moment}", moment=said.as_of)
    parts = (said.period, text.t("Late: due earlier") if late else "", against, as_of)
    return "  |  ".join(part for part in parts if part)


def _figures(highlights: Sequence[Highlight]) -> Iterator[Block]:
    fields = [{"type": "mrkdwn", "text": _field(one)} for one in highlights]
    for start in range(0, len(fields), FIELDS):
        yield {"type": "section", "fields": fields[start : start + FIELDS]}


def _field(one: Highlight) -> str:
    below = " – ".join(part for part in (one.change, one.status) if part)
    lines = (_escaped(one.label, 200), f"*{_escaped(one.value, 200)}*", _escaped(below, 1_000))
    return "\n".join(line for line in lines if line)


def _files(parcel: Parcel, files_follow: bool) -> str:
    if files_follow:
        return parcel.words.t("The full report is in the thread.")
    kept = (f"{file.filename} ({file.path})" if file.path else file.filename for file in parcel.attachments)
    return parcel.words.t("The full report is kept as {files}", files=", ".join(kept))


def _header(text: str) -> Block:
    return {
        "type": "header",
        "text": {"type": "plain_text", "emoji": False, "text": _cut(text, HEADER_CHARACTERS)},
    }


def _section(text: str, headline: str = "") -> Block:
    bold = f"*{_escaped(headline, FIELD_CHARACTERS)}*\n" if headline else ""
    said = (bold + _escaped(text, TEXT_CHARACTERS - len(bold))).strip()
    return {"type": "section", "text": {"type": "mrkdwn", "text": said}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(text, FIELD_CHARACTERS)}]}


def _escaped(text: str, most: int) -> str:
    """The text with & < > as Slack wants them, at most so many characters long and never cut within one."""
    taken, length = [], 0
    for letter in text:
        taken.append(_ESCAPES.get(letter, letter))
        length += len(taken[-1])
        if length > most:
            break
    if length <= most:
        return "".join(taken)
    while length > most - 1:
        length -= len(taken.pop())
    return "".join(taken) + "…"


_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
