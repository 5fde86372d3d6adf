"""Settings of a tenant (reporting.tenant_settings): their types, vocabularies and defaults, read and written.

Belongs here: what may be set and how a value is checked. Does not belong here: targets (metric_targets.py),
what a setting does to a figure (dbt models), and how brands look (reports/).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from orchestration.errors import MetricpressError
from orchestration.warehouse.logo import BadLogo, read_logo

#: Characters of a refused value that its error repeats.
LONGEST_SHOWN = 300
NONE_WORDS = ("none", "null", "")
#: Languages reports are written in; a contract test compares them with the catalogues of texts.
LANGUAGES = ("en", "de")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_DOMAIN = re.compile(r"(?=.{3,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


@dataclass(frozen=True)
class Setting:
    """One setting: `check` turns text or a native value into the stored one, or raises ValueError."""

    name: str
    check: Callable[[Any], Any]
    default: Any
    expects: str
    nullable: bool = False


def _decimal(low: str, high: str) -> Callable[[Any], Decimal]:
    def check(value: Any) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise ValueError from None
        if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
            raise ValueError
        return number

    return check


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,9}", str(value).strip()):
            raise ValueError
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return check


def _one_of(*values: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in values:
            raise ValueError
        return str(value)

    return check


def _list_of(check_one: Callable[[Any], str], *, may_be_empty: bool = False) -> Callable[[Any], list[str]]:
    def check(value: Any) -> list[str]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise ValueError
        checked = [check_one(part.strip() if isinstance(part, str) else part) for part in parts if part != ""]
        if not checked and not may_be_empty:
            raise ValueError
        return list(dict.fromkeys(checked))

    return check


def _text(longest: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            raise ValueError
        return value.strip()

    return check


def _pattern(pattern: re.Pattern[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value.lower()):
            raise ValueError
        return value.lower()

    return check


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None or not 1900 <= moment.year < 2200:
        raise ValueError
    return moment.astimezone(UTC)


def _locale(value: Any) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(str(value).replace("-", "_"))
    except UnknownLocaleError:
        raise ValueError from None
    if locale.language not in LANGUAGES:
        raise ValueError
    return str(locale)


def _logo(value: Any) -> str:
    """A data: URI, or the path of an image that becomes one: reports read no files."""
    return read_logo(str(value))


_BRAND = "brand."
SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("gross_margin", _decimal("0", "1"), Decimal(1), "a share from 0 to 1, such as 0.8"),
        Setting("past_due_days", _integer(0, 3660), None, "whole days from 0, or none", nullable=True),
        Setting("churn_on", _one_of("end", "intent"), "end", "end or intent"),
        Setting(
            "activation_events",
            _list_of(_text(200)),
            ["file_upload", "worklog_creation", "report_generation"],
            "event types separated by commas",
        ),
        Setting("mau_window_days", _integer(1, 366), 30, "whole days from 1 to 366"),
        Setting(
            "retention_cohorts",
            _list_of(_one_of("first_activity", "signup", "first_payment", "recurring"), may_be_empty=True),
            ["first_activity", "signup", "first_payment"],
            "first_activity, signup, first_payment, recurring, separated by commas",
        ),
        Setting(
            "locale",
            _locale,
            "en",
            f"a locale in a language of reports ({', '.join(LANGUAGES)}), such as en_GB or de_AT",
        ),
        Setting(
            "allowed_recipient_domains",
            _list_of(_pattern(_DOMAIN)),
            None,
            "domains separated by commas, or none for every domain",
            nullable=True,
        ),
        Setting("retention_days", _integer(1, 36600), None, "whole days from 1, or none", nullable=True),
        Setting(
            "clock_stops_at",
            _moment,
            None,
            "a moment with offset such as 2024-12-31T00:00:00+00:00, or none",
            nullable=True,
        ),
        Setting("brand.colours.primary", _pattern(_COLOUR), None, "a colour such as #1f4e79, or none", True),
        Setting("brand.colours.accent", _pattern(_COLOUR), None, "a colour such as #d9822b, or none", True),
        Setting("brand.logo", _logo, None, "a PNG, JPEG or SVG file below 500 kB, or none", True),
        Setting("brand.footer", _text(200), None, "text of at most 200 characters, or none", True),
    )
}


def check_setting(name: str, value: Any) -> Any:
    """The value as it is stored; `default` stands for the default, `none` for NULL where that is allowed.

    Raises MetricpressError naming the setting, the value and what is expected.
    """
    if name not in SETTINGS:
        raise MetricpressError(f'there is no setting "{name}"', remedy=f"Settings are: {', '.join(SETTINGS)}")
    setting = SETTINGS[name]
    if value == "default":
        return setting.default
    if value is None or (setting.nullable and isinstance(value, str) and value.lower() in NONE_WORDS):
        if setting.nullable:
            return None
        raise MetricpressError(f"{name} cannot be none", remedy=f"Give {setting.expects}.")
    try:
        return setting.check(value)
    except ValueError as error:
        why = f": {error}" if isinstance(error, BadLogo) else ""
        shown = str(value) if len(str(value)) <= LONGEST_SHOWN else f"{str(value)[:LONGEST_SHOWN]}…"
        raise MetricpressError(
            f'{name} cannot be "{shown}"{why}', remedy=f"Give {setting.expects}."
        ) from None


def read_settings(connection: psycopg.Connection[Any], tenant_id: str) -> dict[str, Any]:
    """All settings of a tenant by name, defaults where nothing was set."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from reporting.tenant_settings where tenant_id = %s", [tenant_id])
        row = cursor.fetchone()
    if row is None:
        return {name: setting.default for name, setting in SETTINGS.items()}
    return {name: _brand_value(row["brand"], name) if _in_brand(name) else row[name] for name in SETTINGS}


def write_settings(connection: psycopg.Connection[Any], tenant_id: str, values: Mapping[str, Any]) -> None:
    """Set checked values (see `check_setting`) of a tenant; settings not named stay as they are."""
    brand = connection.execute(
        "select brand from reporting.tenant_settings where tenant_id = %s for update", [tenant_id]
    ).fetchone()
    columns = {name: value for name, value in values.items() if not _in_brand(name)}
    parts = {name: value for name, value in values.items() if _in_brand(name)}
    if parts:
        columns["brand"] = Jsonb(_with_parts(brand[0] if brand else {}, parts))
    if not columns:
        return
    names = [sql.Identifier(name) for name in columns]
    statement = sql.SQL(
        "insert into reporting.tenant_settings (tenant_id, {names}) values (%s, {places})"
        " on conflict (tenant_id) do update set {changes}"
    ).format(
        names=sql.SQL(", ").join(names),
        places=sql.SQL(", ").join(sql.Placeholder() for _ in names),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
    )
    connection.execute(statement, [tenant_id, *columns.values()])


def _in_brand(name: str) -> bool:
    return name.startswith(_BRAND)


def _brand_value(brand: Mapping[str, Any], name: str) -> Any:
    value: Any = brand
    for key in name.removeprefix(_BRAND).split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _with_parts(brand: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """`brand` with the dotted settings changed; a setting that is None is left out."""
    result = {**brand, "colours": dict(brand.get("colours") or {})}
    for name, value in parts.items():
        *path, last = name.removeprefix(_BRAND).split(".")
        place = result["colours"] if path else result
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    if not result["colours"]:
        del result["colours"]
    return result
