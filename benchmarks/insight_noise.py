"""How often the rules of opening sentences speak of noise: the table in docs/insights.md.

Belongs here: made-up series without any event. Does not belong here: the rules
(orchestration/reports/insights).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from orchestration.reports.document import Figure, Format
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights.case import Case, starts_back
from orchestration.reports.insights.opening import HISTORY, find

SERIES = 1_500
START = {"day": date(2026, 6, 4), "week": date(2026, 6, 1), "month": date(2026, 6, 1)}
Make = Callable[[random.Random, int], float]


def events(rnd: random.Random, mean: float) -> int:
    """A count of independent events."""
    return max(0, round(rnd.gauss(mean, mean**0.5)))


KINDS: tuple[tuple[str, Format, Make, int | None], ...] = (
    ("independent events, 30 a period", "integer", lambda rnd, _: events(rnd, 30), None),
    ("independent events, 500 a period", "integer", lambda rnd, _: events(rnd, 500), None),
    (
        "200 on weekdays, 60 on weekends",
        "integer",
        lambda rnd, day: events(rnd, 200 if day % 7 < 5 else 60),
        None,
    ),
    ("share of a base of 200", "percent", lambda rnd, _: events(rnd, 60) / 200, 200),
    ("average with 5% noise", "duration", lambda rnd, _: 300 * (1 + rnd.gauss(0, 0.05)), None),
    ("average with 20% noise", "duration", lambda rnd, _: max(1, 300 * (1 + rnd.gauss(0, 0.2))), None),
)


def main() -> None:
    """Print the table."""
    rnd, text = random.Random(3), Formatter.of("en")
    print("| series | day | week | month |\n|---|---:|---:|---:|")
    for name, kind, make, base in KINDS:
        shares = []
        for grain, length in HISTORY.items():
            figure = Figure("m", "M", None, kind, "count" if kind == "integer" else "seconds")
            starts = starts_back(START[grain], grain, length)
            told = 0
            for _ in range(SERIES):
                values = tuple(Decimal(str(round(make(rnd, day), 6))) for day in range(length))
                given = None if base is None else Decimal(base)
                told += bool(find([Case(figure, "t", grain, False, starts, values, base=given)], text))
            shares.append(f"{told / SERIES:.1%}")
        print(f"| {name} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
