"""When a failed attempt is made again.

Belongs here: the times of attempts. Does not: which failures are worth another one (failures).
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
#: Doublings from the first to far beyond the longest: keeps the power within bounds.
_MOST_DOUBLINGS = 16


def retry_at(
    now: datetime, attempts: int, give_up_at: datetime, retry_after: float | None = None
) -> datetime | None:
    """When to try again after that many attempts (1 or more): doubling with jitter, the last at `give_up_at`.

    `retry_after`: the receiver's wish in seconds; when it lies beyond give_up_at there is no further attempt.
    None: it was the last.
    """
    if now >= give_up_at:
        return None
    doubled: timedelta = FIRST_RETRY * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
    at = now + min(doubled, LONGEST_RETRY) * random.uniform(0.75, 1.25)
    if retry_after is not None:
        wished = now + timedelta(seconds=retry_after)
        if wished > give_up_at:
            return None
        at = max(at, wished)
    return min(at, give_up_at)
