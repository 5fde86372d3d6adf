"""The dimension value behind a move: which branch, plan, source or type of user made most of it.

Belongs here: the contribution of each value of a dimension to the change of an additive metric. Does not
belong here: which moves are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby

from orchestration.reports.data.insights import Share
from orchestration.reports.document import Figure, Insight, Source
from orchestration.reports.documents.lead_words import source_word
from orchestration.reports.documents.prose import phrase, sentence
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights.case import SERIES, Case, rows_of
from orchestration.reports.messages import N_

#: A value explains a move when it makes at least half of it, and this much more than its share before.
LEAST_SHARE, LEAST_LIFT = Decimal("0.5"), Decimal("0.15")
#: Beyond this the other values moved against it, and no one value explains the sum.
MOST_SHARE = Decimal("1.5")
#: What was not told explains nothing.
UNTOLD = "(none)"
#: Parts may differ from the whole by rounding alone.
_ROUNDING = Decimal("0.0001")

_WHERE = {"branch": N_("the branch {value}"), "plan": N_("the plan {value}"),
          "source": N_("the source {value}"), "user_type": N_("users of type {value}")}  # fmt: skip
_USER_TYPES = {"supplier": N_("supplier"), "couple": N_("couple")}
_TOLD = {
    (True, True): N_("{where} made {share} of the rise in {name}: {now} after {before}"),
    (False, True): N_("{where} made {share} of the fall in {name}: {now} after {before}"),
    (True, False): N_("{where} made more than the whole rise in {name}: {now} after {before}"),
    (False, False): N_("{where} made more than the whole fall in {name}: {now} after {before}"),
}


@dataclass(frozen=True)
class _Part:
    """One value of a dimension at both ends of a move."""

    dimension: str
    value: str
    name: str
    before: Decimal
    now: Decimal


def driver(case: Case, shares: Iterable[Share], text: Formatter) -> Insight | None:
    """What made most of the change of a case; None when no one value did, or parts do not add up."""
    change = case.change
    if not change or case.before is None or case.now is None:
        return None
    ends = {case.starts[-1 - case.lag], case.start}
    own = [share for share in shares if share.metric == case.figure.key and share.start in ends]
    best: tuple[Decimal, _Part] | None = None
    for _, group in groupby(own, key=lambda share: share.dimension):
        parts = _parts(case, list(group))
        if len(parts) < 2 or not _add_up(case, parts):
            continue
        for part in parts:
            share = (part.now - part.before) / change
            before = part.before / case.before if case.before else Decimal(0)
            explains = LEAST_SHARE <= share <= MOST_SHARE and share >= before + LEAST_LIFT
            if explains and part.value != UNTOLD and (best is None or share > best[0]):
                best = (share, part)
    return None if best is None else _insight(case, *best, text)


def _parts(case: Case, shares: list[Share]) -> list[_Part]:
    """Both ends of each value; one without a row had nothing."""
    found: dict[str, dict[bool, Decimal]] = {}
    names = {share.dimension_value: share.name for share in shares}
    for share in shares:
        found.setdefault(share.dimension_value, {})[share.start == case.start] = Decimal(share.value)
    return [
        _Part(shares[0].dimension, value, names[value], ends.get(False, Decimal(0)),
              ends.get(True, Decimal(0)))
        for value, ends in found.items()
    ]  # fmt: skip


def _add_up(case: Case, parts: list[_Part]) -> bool:
    """Whether the parts make the whole at both ends; distinct counts and days of other timezones do not."""
    assert case.now is not None and case.before is not None
    ends = ((sum(part.now for part in parts), case.now), (sum(part.before for part in parts), case.before))
    return all(abs(added - whole) <= _ROUNDING * abs(whole) for added, whole in ends)


def _insight(case: Case, share: Decimal, part: _Part, text: Formatter) -> Insight:
    assert case.change is not None
    days = case.start, case.starts[-1 - case.lag]
    new, old = (
        f"coalesce(sum(value) filter (where dimension_value = '{quoted(part.value)}'"
        f" and period_start = '{day}'), 0)"
        for day in days
    )
    whole, base = (f"sum(value) filter (where period_start = '{day}')" for day in days)
    key = rows_of(case.tenant_id, case.figure.key, case.grain, None, part.dimension)
    source = Source(SERIES, f"({new} - {old}) / ({whole} - {base})", key)
    name = f"{case.figure.key}.{part.dimension}.{part.value}"
    made = Figure(f"{name}.share_of_change", part.name, share, "percent", "rate", source=source)
    ends = [
        replace(case.figure, key=f"{name}{suffix}", label=part.name, value=value,
                source=Source(SERIES, "coalesce(sum(value), 0)", rows_of(
                    case.tenant_id, case.figure.key, case.grain, day, part.dimension, part.value)))
        for suffix, value, day in zip(("", ".previous"), (part.now, part.before), days, strict=True)
    ]  # fmt: skip
    is_part = share <= 1
    told = text.t(
        _TOLD[case.change > 0, is_part],
        where=text.t(_WHERE[part.dimension], value=_said(part, text)),
        share=text.figure(made),
        name=phrase(case.figure.label, text),
        now=text.figure(ends[0], True),
        before=text.figure(ends[1], True),
    )
    return Insight("driver", sentence([told], text), tuple([made, *ends] if is_part else ends))


def _said(part: _Part, text: Formatter) -> str:
    """The value as readers know it: known sources and types of users in their language, the rest as it is."""
    if part.dimension == "source":
        return source_word(part.value, text)
    if part.dimension == "user_type" and part.value in _USER_TYPES:
        return text.t(_USER_TYPES[part.value])
    return part.name


def quoted(value: str) -> str:
    """A text inside the quotes of an SQL literal."""
    return value.replace("'", "''")
