"""Date formats: a strptime pattern as the regular expression and the template PostgreSQL reads it with.

Belongs here: the translation of `--date-format`. Does not belong here: the functions of the database that use
it (judge.py). Python never parses a moment itself: the database does, for all rows at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestration.errors import MetricpressError

#: strptime directive -> (regular expression, template of to_timestamp)
DIRECTIVES = {
    "Y": (r"\d{4}", "YYYY"),
    "y": (r"\d{2}", "YY"),
    "m": (r"\d{1,2}", "MM"),
    "d": (r"\d{1,2}", "DD"),
    "H": (r"\d{1,2}", "HH24"),
    "I": (r"\d{1,2}", "HH12"),
    "p": (r"[AaPp][Mm]", "AM"),
    "M": (r"\d{1,2}", "MI"),
    "S": (r"\d{1,2}", "SS"),
    "f": (r"\d{1,6}", "US"),
    "b": (r"[A-Za-z]{3}", "Mon"),
    "B": (r"[A-Za-z]+", "FMMonth"),
    "j": (r"\d{1,3}", "DDD"),
    "z": (r"[+-]\d{2}:?\d{2}", "TZH:TZM"),
}
#: Two digits are a year to strptime and PostgreSQL alike from 1970 to 2068.
EPOCHS = {"epoch": 1, "epoch_ms": 1000, "epoch_us": 1_000_000}


@dataclass(frozen=True)
class DateFormat:
    """What a value must look like, and how it is read: by a template, or as seconds since 1970 divided."""

    written: str
    pattern: str
    template: str = ""
    epoch_divisor: int | None = None

    @property
    def ends_in_offset(self) -> bool:
        """Whether the offset comes last; PostgreSQL reads +0530 only when written +05:30."""
        return self.written.endswith("%z")


def date_format(written: str) -> DateFormat:
    """Translate a format such as `%d/%m/%Y %H:%M`, or `epoch`, `epoch_ms`, `epoch_us`."""
    if written in EPOCHS:
        return DateFormat(written, r"^-?\d{1,18}(\.\d+)?$", epoch_divisor=EPOCHS[written])
    if "%" not in written:
        raise MetricpressError(
            f'--date-format "{written}" has no directive',
            remedy="Write it like %d/%m/%Y %H:%M:%S, or epoch, epoch_ms, epoch_us.",
        )
    if "%z" in written and not written.endswith("%z"):
        raise MetricpressError(f'--date-format "{written}" has %z before its end', remedy="Put %z last.")
    pattern, template = "", ""
    literals_and_directives = re.findall(r"%(.)|([^%]+)|(%)$", written)
    for directive, literal, lonely in literals_and_directives:
        if literal or directive == "%":
            text = literal or "%"
            pattern += re.escape(text)
            template += '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        elif lonely or directive not in DIRECTIVES:
            raise MetricpressError(
                f'--date-format "{written}" has the unknown directive "%{directive}"',
                remedy="Known are " + " ".join(f"%{known}" for known in DIRECTIVES) + ".",
            )
        else:
            pattern += f"({DIRECTIVES[directive][0]})"
            template += DIRECTIVES[directive][1]
    return DateFormat(written, f"^{pattern}$", template)
