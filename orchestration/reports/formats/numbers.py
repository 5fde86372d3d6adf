"""Numbers for machines: all digits, no locale.

Belongs here: the exact text of a number, and how many digits it has. Does not belong here: numbers for
readers (formatting.py).
"""

from __future__ import annotations

from decimal import Decimal

from orchestration.errors import MetricpressError
from orchestration.reports.document import Number, Source

#: Significant digits that every 64-bit float keeps, and all that spreadsheets keep.
FLOAT_DIGITS = 15


def exact(number: Number) -> str:
    """All digits in plain notation, the point as decimal sign; what is not a finite number is refused."""
    value = Decimal(number)
    if not value.is_finite():
        raise MetricpressError(
            f"the figure {number} is not a finite number",
            remedy="let the document say None and give the reason",
            exit_code=1,
        )
    return format(value, "f")


def fits_float(number: Number) -> bool:
    """Whether a float gives back every digit."""
    return len(exact(number).lstrip("-").replace(".", "").strip("0")) <= FLOAT_DIGITS


def key_text(source: Source) -> str:
    """The key of a mart's row as one text: `tenant_id=acme, metric=mrr`."""
    return ", ".join(f"{name}={value}" for name, value in source.key)
