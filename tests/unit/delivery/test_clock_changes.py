"""Every clock change of many zones and years, against a walk along the minutes of UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from orchestration.delivery.calendar import Schedule, due_between

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

#: Zone and the years whose changes are walked. Santiago, Beirut, Cairo, Asuncion, Sao Paulo and Havana change
#: at midnight, Lord Howe by half an hour; Apia and Kwajalein left a whole day out; Casablanca and Gaza follow
#: Ramadan; Caracas, Pyongyang and Kathmandu moved for good; Vilnius and Samara changed their rules.
ZONES = {
    "America/New_York": (1999, 2007, 2026, 2027),
    "Europe/Lisbon": (1992, 1996, 2026, 2027),
    "Europe/London": (1968, 1971, 2026),
    "Australia/Lord_Howe": (2026, 2027),
    "America/Santiago": (2015, 2016, 2019, 2022, 2026, 2027),
    "Asia/Beirut": (2023, 2026),
    "Africa/Cairo": (2014, 2023, 2026, 2027),
    "America/Asuncion": (2010, 2024),
    "America/Sao_Paulo": (2008, 2018),
    "America/Havana": (2026,),
    "Asia/Gaza": (2026, 2027),
    "Africa/Casablanca": (2025, 2026),
    "Pacific/Apia": (2009, 2010, 2011, 2012, 2021),
    "Pacific/Kwajalein": (1993,),
    "America/Caracas": (2007, 2016),
    "Asia/Pyongyang": (2015, 2018),
    "Asia/Kathmandu": (1985,),
    "Europe/Samara": (2010, 2011),
    "Antarctica/Troll": (2026,),
}
TIMES = [
    time(0),
    time(0, 30),
    time(1, 30),
    time(2),
    time(2, 15),
    time(2, 30),
    time(9),
    time(23, 30),
    time(23, 59),
]


def changes(zone: ZoneInfo, year: int) -> Iterator[datetime]:
    """Hours of UTC within which the zone's offset changes."""
    moment = datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        after = moment + timedelta(hours=1)
        if moment.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            yield moment
        moment = after


def walked(zone: ZoneInfo, start: datetime, end: datetime) -> dict[date, list[datetime]]:
    """Local date -> the minutes of UTC at which a clock on the wall shows it."""
    shown: dict[date, list[datetime]] = {}
    moment = start
    while moment < end:
        shown.setdefault(moment.astimezone(zone).date(), []).append(moment)
        moment += MINUTE
    return shown


def expected(zone: ZoneInfo, day: date, minutes: list[datetime], at: time) -> set[datetime]:
    """The first minute that shows the time; where none does, the clocks jumped over it."""
    exact = [m for m in minutes if m.astimezone(zone).time() == at]
    if exact:
        return {exact[0]}
    # The jump lies within the day, or between it and the next (or the one before, at midnight).
    walls = [(m.astimezone(zone).replace(tzinfo=None), m) for m in (minutes[0] - MINUTE, *minutes)]
    walls.append(((minutes[-1] + MINUTE).astimezone(zone).replace(tzinfo=None), minutes[-1] + MINUTE))
    wanted = datetime.combine(day, at)
    return {
        moment + (wanted - before) - MINUTE
        for (before, _), (after, moment) in pairwise(walls)
        if before < wanted < after and after - before > MINUTE
    }


@pytest.mark.parametrize("name", ZONES)
def test_one_report_a_day_at_the_walls_time_with_consecutive_periods(name: str) -> None:
    zone = ZoneInfo(name)
    seen = 0
    for year in ZONES[name]:
        for change in changes(zone, year):
            seen += 1
            start, end = change - 3 * DAY, change + 3 * DAY
            shown = walked(zone, start, end)
            whole = sorted(shown)[1:-1]  # the first and last are cut off
            for at in TIMES:
                _check(zone, at, {day: shown[day] for day in whole}, start, end)
    assert seen >= len(ZONES[name])


def _check(
    zone: ZoneInfo, at: time, shown: dict[date, list[datetime]], start: datetime, end: datetime
) -> None:
    first = min(shown)
    plan = Schedule("daily", at, zone, zone, "monday", first)
    found = [due for due in due_between(plan, None, end) if due.local_date in shown]
    assert [due.local_date for due in found] == sorted(shown), (zone, at)
    for due in found:
        assert due.due_at in expected(zone, due.local_date, shown[due.local_date], at), (zone, at, due)
    days = [min(shown) - DAY, *sorted(shown)]
    for due in found[1:]:
        # The day before on the zone's own calendar, which has no day that was left out.
        before = days[days.index(due.local_date) - 1]
        assert (due.period_start, due.period_end) == (before, before), (zone, at, due)
    assert all(a.due_at < b.due_at for a, b in pairwise(found)), (zone, at)


@pytest.mark.parametrize("frequency", ["weekly", "monthly"])
@pytest.mark.parametrize("name", ["America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"])
def test_weeks_and_months_follow_each_other(name: str, frequency: str) -> None:
    zone = ZoneInfo(name)
    for at in TIMES:
        plan = Schedule(frequency, at, zone, zone, "sunday", date(2009, 1, 1))
        found = due_between(plan, None, datetime(2028, 1, 1, tzinfo=UTC))
        assert len(found) in ((990, 991, 992) if frequency == "weekly" else (228, 229))
        for before, after in pairwise(found):
            assert after.period_start == before.period_end + DAY
            assert after.due_at > before.due_at
        for due in found:
            ended = datetime.combine(due.period_end + DAY, time(), zone).astimezone(UTC)
            assert ended <= due.due_at
