"""A Dagster job that does nothing: what any run of Dagster costs."""

import dagster as dg


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def empty() -> None:
    """One step."""
    nothing()


defs = dg.Definitions(jobs=[empty])
