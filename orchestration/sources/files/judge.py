"""The careful way of a load: every value is text first, every row is judged, good and bad ones part.

Belongs here: staging text rows, casting, applying the rules, keys that come twice. Does not belong here: what
the rules are (rules.py) and writing to the raw table (merge.py).

Temporary tables: `text_rows` (the rows as text), `judged` (the same in types, `rule` NULL for good ones),
`refused` (what goes to raw.rejected_rows).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from psycopg import sql

from orchestration.sources.files.plan import Binding, Plan, staged_name
from orchestration.sources.files.records import records
from orchestration.sources.files.rules import Rule, text_rules, typed_rules
from orchestration.sources.files.session import (
    TRY_FUNCTIONS,
    Connection,
    set_local,
    temporary_table,
)
from orchestration.sources.files.source import Advance, SourceFile

#: Where a text row comes from; `_defect` and `_content` are filled for rows that could not be taken apart.
WHERE_FROM = (
    ("_ordinal", "bigint"),
    ("_file", "text"),
    ("_line", "bigint"),
    ("_defect", "text"),
    ("_content", "jsonb"),
)
ROWS_AT_ONCE = 5_000
#: Values of judged.rule beyond the numbered rules.
REPEATED_ALIKE = 0
REPEATED_OTHERWISE = -1
NOT_THERE_YET = -2


def prepare(connection: Connection) -> None:
    """Make the functions and the table every careful load needs."""
    connection.execute(sql.SQL(TRY_FUNCTIONS.replace("{", "{{").replace("}", "}}")).format())
    columns = "_ordinal:bigint _file:text _line:bigint tenant_id:text column_name:text value:text reason:text"
    pairs = [tuple(part.split(":")) for part in columns.split()]
    temporary_table(connection, "refused", [*pairs, ("row_content", "jsonb")])  # type: ignore[list-item]


def stage_text(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    sources: Iterable[SourceFile],
    advance: Advance | None,
    names: Sequence[str] | None = None,
) -> int:
    """Copy the rows of the files into temporary table `table` as text; bad lines go to `refused`.

    `columns` are the columns of the files in the order wanted, `names` what they are called in the table.
    Returns the number of rows read.
    """
    names = names or columns
    temporary_table(connection, table, [*WHERE_FROM, *((name, "text") for name in names)])
    identifiers = [sql.Identifier(name) for name, _ in WHERE_FROM] + [sql.Identifier(name) for name in names]
    statement = sql.SQL("copy {} ({}) from stdin with (format csv, force_null ({}))").format(
        sql.Identifier("pg_temp", table),
        sql.SQL(", ").join(identifiers),
        sql.SQL(", ").join(identifiers),
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for source in sources:
            order = [source.columns.index(column) for column in columns]
            in_order = order == list(range(len(order)))
            buffer = io.StringIO(newline="")
            writer = csv.writer(buffer)
            for record in records(source, advance):
                count += 1
                values = record.values
                if record.defect:
                    values = [None] * len(order)
                elif not in_order:
                    values = [values[position] for position in order]
                writer.writerow([count, source.name, record.line, record.defect, record.content, *values])
                if count % ROWS_AT_ONCE == 0:
                    copy.write(buffer.getvalue())
                    buffer.seek(0)
                    buffer.truncate()
            copy.write(buffer.getvalue())
    _refuse_defects(connection, table)
    return count


def _refuse_defects(connection: Connection, table: str) -> None:
    identifier = sql.Identifier("pg_temp", table)
    connection.execute(
        sql.SQL(
            "insert into pg_temp.refused (_ordinal, _file, _line, reason, row_content)"
            " select _ordinal, _file, _line, _defect, _content from {} where _defect is not null"
        ).format(identifier)
    )
    connection.execute(sql.SQL("delete from {} where _defect is not null").format(identifier))


def judge(connection: Connection, plan: Plan, zone: str | None) -> None:
    """Cast and judge the rows of `text_rows` into `judged`; describe the bad ones in `refused`.

    `zone` is the time zone of moments without an offset; None: each row's tenant's.
    """
    numbered = dict(enumerate([*text_rules(plan), *typed_rules(plan)], start=1))
    typed = [(binding.name, binding.column.type) for binding in plan.bindings]
    state = [("_ordinal", "bigint"), ("_rule", "smallint"), ("_note", "text")]
    temporary_table(connection, "judged", [*state, *typed, ("extra", "jsonb")])
    if zone is not None or not any(binding.column.type == "timestamptz" for binding in plan.bindings):
        zones: list[str | None] = [None]
    else:
        zones = [row[0] for row in connection.execute(_distinct_zones(plan)).fetchall()]
    for row_zone in zones:
        set_local(connection, "timezone", row_zone or zone or "UTC")
        connection.execute(_judgement(plan, numbered, row_zone))
    connection.execute("analyze pg_temp.judged")
    _sort_out_repeated_keys(connection, plan)
    _refuse_incomplete_new_rows(connection, plan)
    _describe_refused(connection, plan, numbered)


def _judgement(plan: Plan, numbered: dict[int, Rule], zone: str | None) -> sql.Composed:
    typed = [
        sql.SQL("{} as {}").format(_cast(binding), sql.Identifier(binding.name)) for binding in plan.bindings
    ]
    cases = [sql.SQL("when {} then {}").format(rule.broken, number) for number, rule in numbered.items()]
    # The offsets keep the planner from evaluating a cast once for each use.
    return sql.SQL(
        """
        insert into pg_temp.judged (_ordinal, _rule, {names}, extra)
        select s._ordinal, case {cases} end, {values}, {extra}
        from pg_temp.text_rows as s
        cross join lateral (select {texts} offset 0) as t
        cross join lateral (select {typed} offset 0) as v
        where {in_zone}
        """
    ).format(
        names=_list(sql.Identifier(binding.name) for binding in plan.bindings),
        values=_list(sql.Identifier("v", binding.name) for binding in plan.bindings),
        cases=sql.SQL(" ").join(cases),
        extra=plan.extra() if plan.extras else sql.SQL("null::jsonb"),
        texts=_texts(plan),
        typed=_list(typed),
        in_zone=sql.SQL("true") if zone is None else sql.SQL("{} = {}").format(_zone(plan), zone),
    )


def _cast(binding: Binding) -> sql.Composable:
    text = sql.Identifier("t", binding.name)
    kind = binding.column.type
    if kind in ("timestamptz", "date"):
        value = _moment(binding, text)
    elif kind == "text":
        value = text
    else:
        function = "as_integer" if kind in ("integer", "bigint") else "as_number"
        value = sql.SQL(f"pg_temp.{function}({{}})").format(text)
    if binding.column.required and binding.column.default is not None:
        value = sql.SQL("coalesce({}, {})").format(value, sql.SQL(binding.column.default))
    return value


def _moment(binding: Binding, text: sql.Composable) -> sql.Composable:
    date_format = binding.date_format
    if date_format is None:
        function = "as_date" if binding.column.type == "date" else "as_moment"
        return sql.SQL(f"pg_temp.{function}({{}})").format(text)
    if date_format.epoch_divisor is not None:
        moment = sql.SQL("pg_temp.as_epoch({}, {}, {})").format(
            text, date_format.pattern, date_format.epoch_divisor
        )
    else:
        if date_format.ends_in_offset:
            text = sql.SQL("regexp_replace({}, {}, {})").format(text, r"([+-]\d\d)(\d\d)$", r"\1:\2")
        moment = sql.SQL("pg_temp.as_moment({}, {}, {})").format(
            text, date_format.pattern, date_format.template
        )
    return sql.SQL("({})::date").format(moment) if binding.column.type == "date" else moment


def _texts(plan: Plan) -> sql.Composable:
    return _list(
        sql.SQL("{}::text as {}").format(binding.text(), sql.Identifier(binding.name))
        for binding in plan.bindings
    )


def _zone(plan: Plan) -> sql.Composable:
    """The time zone of a row, over `t`: that of its tenant."""
    if plan.table.name == "tenants" and plan.binding("timezone"):
        return sql.SQL("case when raw.is_timezone(t.timezone) then t.timezone else 'UTC' end")
    return sql.SQL(
        "coalesce((select z.timezone from raw.tenants as z where z.tenant_id = t.tenant_id), 'UTC')"
    )


def _distinct_zones(plan: Plan) -> sql.Composed:
    return sql.SQL(
        "select distinct {} from pg_temp.text_rows as s cross join lateral (select {} offset 0) as t"
    ).format(_zone(plan), _texts(plan))


def _sort_out_repeated_keys(connection: Connection, plan: Plan) -> None:
    """Of good rows with one key the first stays; the others are repeats, or refused when they differ."""
    key = _list(sql.Identifier(name) for name in plan.table.primary_key)
    contents = [binding.name for binding in plan.bindings if binding.name not in plan.table.primary_key] + [
        "extra"
    ]
    connection.execute(
        sql.SQL(
            """
            with repeated as (
                select {key} from pg_temp.judged where _rule is null group by {key} having count(*) > 1
            ),
            ranked as (
                select
                    _ordinal,
                    first_value(_ordinal) over (partition by {key} order by _ordinal) as first_ordinal
                from pg_temp.judged join repeated using ({key})
                where _rule is null
            )
            update pg_temp.judged as j
            set
                _rule = case when ({ours}) is distinct from ({firsts}) then {otherwise} else {alike} end,
                _note = ranked.first_ordinal::text
            from ranked
            join pg_temp.judged as f on f._ordinal = ranked.first_ordinal
            where j._ordinal = ranked._ordinal and ranked._ordinal <> ranked.first_ordinal
            """
        ).format(
            key=key,
            ours=_list(sql.Identifier("j", name) for name in contents),
            firsts=_list(sql.Identifier("f", name) for name in contents),
            otherwise=REPEATED_OTHERWISE,
            alike=REPEATED_ALIKE,
        )
    )


def _refuse_incomplete_new_rows(connection: Connection, plan: Plan) -> None:
    """A file without a required column can change rows but not add any."""
    missing = [name for name in plan.table.required if plan.binding(name) is None]
    if not missing:
        return
    on_key = [sql.SQL("r.{0} = j.{0}").format(sql.Identifier(name)) for name in plan.table.primary_key]
    connection.execute(
        sql.SQL(
            "update pg_temp.judged as j set _rule = {}, _note = {} where _rule is null"
            " and not exists (select from {} as r where {})"
        ).format(
            NOT_THERE_YET, missing[0], sql.Identifier("raw", plan.table.name), sql.SQL(" and ").join(on_key)
        )
    )


def _describe_refused(connection: Connection, plan: Plan, numbered: dict[int, Rule]) -> None:
    rules = [(number, rule.column, rule.reason) for number, rule in numbered.items()]
    key = plan.table.primary_key[-1]
    rules.append((REPEATED_OTHERWISE, key, "came before with other content, at "))
    rules.append((NOT_THERE_YET, "", "is required for a new row and no column gives it"))
    values = [
        sql.SQL("when {} then t.{}").format(binding.name, sql.Identifier(binding.name))
        for binding in plan.bindings
    ]
    connection.execute(
        sql.SQL(
            """
            insert into pg_temp.refused (
                _ordinal, _file, _line, tenant_id, column_name, value, reason, row_content
            )
            select
                s._ordinal, s._file, s._line, {tenant}, b.column_name, case b.column_name {values} end,
                b.reason || coalesce(f._file || ':' || f._line, ''),
                jsonb_object({names}::text[], array[{contents}]::text[])
            from pg_temp.judged as j
            join pg_temp.text_rows as s on s._ordinal = j._ordinal
            join (values {rules}) as m (rule, column_name, reason) on m.rule = j._rule
            cross join lateral (select {texts}) as t
            cross join lateral (
                select
                    case when j._rule = {not_there} then j._note else m.column_name end as column_name,
                    m.reason
            ) as b
            left join pg_temp.text_rows as f
                on f._ordinal = case when j._rule = {otherwise} then j._note::bigint end
            """
        ).format(
            tenant=sql.SQL("t.tenant_id" if plan.binding("tenant_id") else "null"),
            values=sql.SQL(" ").join(values),
            otherwise=REPEATED_OTHERWISE,
            not_there=NOT_THERE_YET,
            names=list(plan.columns),
            contents=_list(sql.Identifier("s", staged_name(p)) for p in range(len(plan.columns))),
            rules=_list(sql.SQL("({}::smallint, {}, {})").format(*rule) for rule in rules),
            texts=_texts(plan),
        )
    )


def _list(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)
