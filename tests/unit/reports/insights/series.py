"""Hand-made cases for the rules of the opening sentences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from orchestration.reports.data.common import TargetRow
from orchestration.reports.document import Figure
from orchestration.reports.insights.case import Case, starts_back

#: A Thursday, a Monday and the first of a month.
START = {"day": date(2026, 6, 4), "week": date(2026, 6, 1), "month": date(2026, 6, 1)}
FIGURES = {
    "leads": Figure("new_leads", "New leads", None, "integer", "count", None, "up"),
    "mrr": Figure("mrr", "Monthly recurring revenue", None, "money", "currency", "EUR", "up"),
    "success": Figure("call_success_rate", "Call success", None, "percent", "rate", None, "up"),
    "churn": Figure("customer_churn_rate", "Customer churn", None, "percent", "rate", None, "down"),
}


def case(
    figure: str, grain: str, values: Sequence[Any], target: TargetRow | None = None, **more: Any
) -> Case:  # fmt: skip
    """A case of a figure of FIGURES; values as numbers or texts, None unknown, the last of START[grain]."""
    numbers = tuple(None if value is None else Decimal(str(value)) for value in values)
    starts = starts_back(START[grain], grain, len(numbers))
    given = {"is_stock": figure == "mrr", **more}
    return Case(FIGURES[figure], "acme", grain, starts=starts, values=numbers, target=target, **given)
