"""The error every part of metricpress raises when a person has to do something.

Belongs here: the base class and the exit codes. Does not belong here: errors that only one module raises and
handles itself, and anything that prints.
"""

from __future__ import annotations

EXIT_FINE = 0
EXIT_CHECK_FAILED = 1
EXIT_USAGE = 2
EXIT_ROWS_REJECTED = 3
# As mail servers understand them (sysexits.h): return the mail to its sender; keep it and try again.
EXIT_BAD_MAIL = 65
EXIT_TRY_AGAIN = 75


class MetricpressError(Exception):
    """A failure a person can mend: the message names the thing, `remedy` says what to do.

    The command line prints both without a traceback and ends with `exit_code`: 1 a check or delivery failed,
    2 wrong usage, unreadable input or a missing setting, 3 rows rejected or a tenant's data failed, 65 and 75
    for mail servers.
    """

    def __init__(self, message: str, *, remedy: str = "", exit_code: int = EXIT_USAGE) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.exit_code = exit_code
