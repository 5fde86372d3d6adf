"""How new and how clean a tenant's data are: sections of the operations report.

Belongs here: which data count as late, and tables of raw tables and problems. Does not belong here: rules of
data quality (dbt_project) and the figures of a period.

These sections tell of the newest build and not of the report's period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from orchestration.reports.data.common import Tenant
from orchestration.reports.data.operations import Build, Problem, TableState
from orchestration.reports.document import Block, Column, Figure, Row, Section, Source, Table
from orchestration.reports.documents.data_words import problem_words, severity_word, table_word
from orchestration.reports.formatting import DASH, Formatter

#: Tables that fill by themselves day by day; the rest changes when somebody has something to enter.
STREAMS = frozenset({
    "raw.activation_events", "raw.api_requests", "raw.calls", "raw.health_checks", "raw.jobs", "raw.leads",
    "raw.sessions",
})  # fmt: skip
#: A weekend and a day without rows is nothing odd.
LATE_AFTER_HOURS = 72


@dataclass(frozen=True)
class Freshness:
    """A tenant's data as of the newest build."""

    tenant: Tenant
    text: Formatter
    tables: Sequence[TableState]
    problems: Sequence[Problem]
    build: Build
    late_after: int = LATE_AFTER_HOURS

    def age(self, state: TableState) -> Decimal | None:
        """Hours from the newest row to the moment of the data; None in tables without a moment."""
        if state.newest_row is None:
            return None
        return Decimal(str((self.tenant.as_of - state.newest_row).total_seconds())) / 3600

    def is_late(self, state: TableState) -> bool:
        """A table that fills by itself and has had no row for longer than allowed."""
        age = self.age(state)
        return state.table_name in STREAMS and age is not None and age > self.late_after

    def late_words(self) -> str:
        """The late tables with their age, as a sentence; empty when none is."""
        text = self.text
        late = [
            text.t(
                "{table} ({age})",
                table=table_word(state.table_name, text),
                age=text.figure(self._age(state)),
            )
            for state in self.tables
            if self.is_late(state)
        ]  # fmt: skip
        return text.t("Late: {tables}.", tables=text.listed(late)) if late else ""

    def section(self) -> Section | None:
        """How new the rows are; None for a tenant without rows."""
        if not self.tables:
            return None
        text = self.text
        on_time = text.t("All data that should come by itself is on time.")
        columns = (Column(text.t("Data"), "left"), Column(text.t("Rows")), Column(text.t("Left out")),
                   Column(text.t("Newest")), Column(text.t("Age")),
                   Column(text.t("Timeliness"), "left"))  # fmt: skip
        table = Table("freshness", text.t("Freshness of the data"), columns,
                      tuple(self._row(state) for state in self.tables), self._note())  # fmt: skip
        return Section("freshness", text.t("Freshness of the data"), self.late_words() or on_time, (table,))

    def _row(self, state: TableState) -> Row:
        text, key = self.text, f"table.{state.table_name.removeprefix('raw.')}"
        standing = DASH
        if state.table_name in STREAMS and state.newest_row is not None:
            standing = text.t("late") if self.is_late(state) else text.t("on time")
        newest = DASH if state.newest_row is None else text.moment(_local(state.newest_row, self.tenant))
        counts = (
            Figure(f"{key}.rows", text.t("Rows"), state.raw_rows,
                   source=_place(state, "raw_rows", self.tenant)),
            Figure(f"{key}.rows_excluded", text.t("Left out"), state.rows_excluded,
                   source=_place(state, "rows_excluded", self.tenant)),
        )  # fmt: skip
        return Row(table_word(state.table_name, text), (*counts, newest, self._age(state), standing))

    def _age(self, state: TableState) -> Figure:
        age = self.age(state)
        column = (
            "extract(epoch from (select t.as_of from marts.tenants as t "
            "where t.tenant_id = data_quality.tenant_id) - newest_row) / 3600"
        )
        return Figure(
            f"table.{state.table_name.removeprefix('raw.')}.age", self.text.t("Age"), age, "duration",
            "hours",
            reason="" if age is not None else self.text.t("the rows bear no moment"),
            source=_place(state, column, self.tenant),
        )  # fmt: skip

    def _note(self) -> str:
        text, notes = self.text, []
        notes.append(text.t(
            "As of the newest build, whatever the period of the report. Age: from the newest row to the "
            "moment "
            "of the data. Data that fill by themselves are late after {count} hours; others are entered when "
            "there is something to enter.", count=self.late_after,
        ))  # fmt: skip
        if self.build.built_at is not None:
            built = text.moment(_local(self.build.built_at, self.tenant))
            notes.append(text.t("The build began on {moment}.", moment=built))
        if self.build.newest_rate is not None:
            day = text.day(self.build.newest_rate.astimezone(ZoneInfo("UTC")).date())
            notes.append(text.t("Exchange rates, which all tenants share, reach to {day}.", day=day))
        notes.append(text.t("Rows that loading refused are not told here: they are kept by load."))
        return " ".join(notes)

    def problem_section(self) -> Section:
        """What rules of data quality found, the gravest first."""
        text, title = self.text, self.text.t("Quality of the data")
        if not self.problems:
            return Section("problems", title, text.t("No rule of data quality found anything."), ())
        left_out = sum(problem.rows_excluded for problem in self.problems)
        lead = text.n(
            "Rules of data quality leave {count} row out of every figure.",
            "Rules of data quality leave {count} rows out of every figure.", left_out,
        )  # fmt: skip
        columns = (Column(text.t("Found"), "left"), Column(text.t("Severity"), "left"),
                   Column(text.t("Rows")), Column(text.t("Left out")))  # fmt: skip
        rows = tuple(self._problem(problem) for problem in self.problems)
        note = text.t(
            "As of the newest build. An error holds reports back, a warning tells what is not counted."
        )
        blocks: tuple[Block, ...] = (Table("problems", title, columns, rows, note),)
        return Section("problems", title, lead, blocks)

    def _problem(self, problem: Problem) -> Row:
        key = f"problem.{problem.kind}.{problem.table_name.removeprefix('raw.')}.{problem.key}"

        def count(name: str, value: int, column: str) -> Figure:
            place = (("tenant_id", self.tenant.tenant_id), ("kind", problem.kind),
                     ("table_name", problem.table_name), ("key", problem.key))  # fmt: skip
            return Figure(f"{key}.{name}", name, value, source=Source("marts.data_problems", column, place))

        cells = (
            severity_word(problem.severity, self.text),
            count("rows", problem.rows_found, "rows_found"),
            count("rows_excluded", problem.rows_excluded, "rows_excluded"),
        )
        return Row(problem_words(problem, self.text), cells)


def _place(state: TableState, column: str, tenant: Tenant) -> Source:
    key = (("tenant_id", tenant.tenant_id), ("table_name", state.table_name))
    return Source("marts.data_quality", column, key)


def _local(moment: datetime, tenant: Tenant) -> datetime:
    return moment.astimezone(ZoneInfo(tenant.timezone))
