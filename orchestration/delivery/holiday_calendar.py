"""Holiday calendars by name: a country, one of its regions, or a financial market.

Belongs here: the library `holidays` and how its calendars are called. Does not: what a holiday does to a
report (calendar).
"""

from __future__ import annotations

from datetime import date, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from orchestration.errors import MetricpressError

if TYPE_CHECKING:
    from holidays import HolidayBase

#: The longest row of days without work of any calendar is two weeks.
LONGEST_BREAK = timedelta(days=31)


@lru_cache(maxsize=1024)
def holiday_calendar(name: str) -> HolidayCalendar:
    """The calendar `DE`, `DE-BY`, `XNYS` ...; an unknown name is a MetricpressError with the nearest."""
    known = calendar_names()
    if name not in known:
        near = get_close_matches(name.upper(), known, n=4, cutoff=0.6)
        hint = f"Near it: {', '.join(near)}. " if near else ""
        raise MetricpressError(
            f"there is no holiday calendar {name!r}",
            remedy=f"{hint}Give a country (DE), a region of it (DE-BY, US-NY) or a market (XNYS, ECB).",
        )
    return HolidayCalendar(name)


@cache
def calendar_names() -> dict[str, tuple[str, str | None, bool]]:
    """Every name the library offers: (code, its part or None, whether it is a market)."""
    # A third of a second of imports that subscriptions without holidays do without.
    from holidays import list_supported_countries, list_supported_financial

    names: dict[str, tuple[str, str | None, bool]] = {}
    for is_market, offered in (
        (True, list_supported_financial(include_aliases=True)),
        (False, list_supported_countries(include_aliases=False)),
    ):
        for code, parts in offered.items():
            names[code] = (code, None, is_market)
            names.update({f"{code}-{part}": (code, part, is_market) for part in parts})
    return names


class HolidayCalendar:
    """Holidays by date, in the language of their country, and its days of work."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._days = _days(name)

    def holiday(self, day: date) -> str | None:
        """The name of the holiday on that date, None when it is none."""
        return self._days.get(day)

    def is_working_day(self, day: date) -> bool:
        """Neither a holiday nor a day of the country's weekend, unless worked by decree."""
        return self._days.is_working_day(day)


def _days(name: str) -> HolidayBase:
    from holidays import country_holidays, financial_holidays

    code, part, is_market = calendar_names()[name]
    make = financial_holidays if is_market else country_holidays
    # Without a language the library takes the one of this process.
    language = make(code, part).default_language
    return make(code, part, language=language)
