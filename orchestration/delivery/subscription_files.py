"""Subscriptions as YAML, so that they can live in git: written, read with the line of each fault, applied.

Belongs here: the form of the file and the comparison with what is stored. Does not: what a field may hold
(subscription_checks) and how a change is stored (subscription_changes). docs/interfaces.md shows the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml
from jsonschema import Draft202012Validator

from orchestration.delivery import subscriptions
from orchestration.delivery.subscription_changes import NOT_ORDERED, Change, differences, plain, store
from orchestration.delivery.subscription_checks import FieldError, checked
from orchestration.delivery.subscriptions import Subscription, Tenant, tenant_of
from orchestration.errors import MetricpressError

Connection = psycopg.Connection[Any]
Place = tuple[str | int, ...]

#: Written also when they are as by default: what a reader looks for first.
ALWAYS_WRITTEN = ("name", "report", "frequency", "delivery_time", "recipients", "starts_on")
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_TEXT_OR_NONE = {"type": ["string", "null"]}
ENTRY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "report", "frequency", "recipients"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "report": {"type": "string"},
        "template": _TEXT_OR_NONE,
        "frequency": {"enum": ["daily", "weekly", "monthly"]},
        "delivery_time": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
        "delivery_days": {"type": "array", "items": {"type": ["string", "integer"]}},
        "timezone": _TEXT_OR_NONE,
        "holiday_calendar": _TEXT_OR_NONE,
        "holiday_rule": {"enum": ["skip", "before", "after", None]},
        "starts_on": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        "branch_id": _TEXT_OR_NONE,
        "parameters": {"type": "object"},
        "formats": _TEXTS,
        "delivery_method": {"type": "string"},
        "recipients": _TEXTS,
        "locale": _TEXT_OR_NONE,
        "misfire_policy": {"enum": ["catch_up", "skip"]},
        "max_lateness_hours": {"type": "number", "exclusiveMinimum": 0},
        "when_incomplete": {"enum": ["notice", "hold"]},
        "owner": _TEXT_OR_NONE,
        "is_active": {"type": "boolean"},
    },
}
FILE_SCHEMA = {
    "type": "object",
    "additionalProperties": {"type": ["array", "null"], "items": ENTRY_SCHEMA},
}


class _Loader(yaml.SafeLoader):
    """YAML with the plain values of 1.2: 10:30 is no number, NO is no truth value, a date is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # as in PyYAML


for _kind, _form, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?[0-9]+\.[0-9]*(?:e[-+][0-9]+)?", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_form})$"), _first)


@dataclass(frozen=True)
class Entry:
    """One subscription of a file, and where it stands."""

    subscription: Subscription
    place: Place


@dataclass
class Content:
    """A file that was read: its tenants, entries and the line of each part."""

    path: str
    lines: Mapping[Place, int]
    tenants: list[str]
    entries: list[Entry]
    faults: list[str] = field(default_factory=list)

    def fault(self, place: Place, name: str, message: str) -> None:
        """Note what is wrong; `name` is the entry's."""
        known = next(place[:end] for end in range(len(place), -1, -1) if place[:end] in self.lines)
        fields = ".".join(str(part) for part in place[2:])
        where = ": ".join(part for part in (str(place[0]) if place else "", name, fields) if part)
        self.faults.append(f"{self.path}:{self.lines[known]}: {where + ': ' if where else ''}{message}")

    def refuse(self) -> None:
        """Raise one error with all faults, when there are any."""
        if self.faults:
            raise MetricpressError(
                "\n".join([f"{self.path} has {len(self.faults)} faults, nothing was changed:", *self.faults])
                if len(self.faults) > 1
                else self.faults[0],
                remedy="The form stands in docs/interfaces.md; metricpress subscriptions export writes it.",
            )


@dataclass
class Difference:
    """What applying a file does: (stored or wanted, changes); `absent` is stored but not in the file."""

    added: list[Subscription] = field(default_factory=list)
    changed: list[tuple[Subscription, list[Change]]] = field(default_factory=list)
    unchanged: list[Subscription] = field(default_factory=list)
    absent: list[Subscription] = field(default_factory=list)


def exported(stored: Sequence[Subscription]) -> str:
    """The YAML of these subscriptions, by tenant; fields as by default are left out."""
    by_tenant: dict[str, list[dict[str, Any]]] = {}
    for one in stored:
        default = plain(Subscription(one.tenant_id, one.name, one.report, one.frequency, one.recipients))
        values = {
            name: value
            for name, value in plain(one).items()
            if name not in NOT_ORDERED and (name in ALWAYS_WRITTEN or value != default[name])
        }
        by_tenant.setdefault(one.tenant_id, []).append(values)
    return yaml.safe_dump(by_tenant, sort_keys=False, allow_unicode=True, width=110)


def read(path: Path) -> Content:
    """Read and check the form of a file; raises MetricpressError with every fault and its line."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = {} if node is None else loader.construct_document(node)
    except (OSError, UnicodeDecodeError) as error:
        raise MetricpressError(f"cannot read {path}: {error}") from error
    except yaml.YAMLError as error:
        raise MetricpressError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    content = Content(str(path), {(): 1}, [], [])
    if node is not None:
        content.lines = {(): 1} | dict(_lines(node, (), content))
    found = Draft202012Validator(FILE_SCHEMA).iter_errors(data)
    for broken in sorted(found, key=lambda one: [str(part) for part in one.absolute_path]):
        place = tuple(broken.absolute_path)
        content.fault(place, _name_at(data, place), broken.message)
    content.refuse()
    content.tenants = [str(tenant) for tenant in data]
    seen: set[tuple[str, str]] = set()
    for tenant, entries in data.items():
        for index, values in enumerate(entries or ()):
            place = (tenant, index)
            key = (str(tenant), values["name"].strip())
            if key in seen:
                content.fault((*place, "name"), key[1], "the file has this name twice for the tenant")
            seen.add(key)
            try:
                content.entries.append(Entry(_subscription(key[0], values), place))
            except ValueError as error:
                content.fault((*place, "starts_on"), key[1], str(error))
    content.refuse()
    return content


def compare(
    conn: Connection, content: Content, template_dir: Path | None, private_hosts: Sequence[str]
) -> Difference:
    """What the file would change, every entry checked; raises MetricpressError with every fault."""
    found = Difference()
    tenants = _tenants(conn, content)
    stored = {
        (one.tenant_id, one.name): one for tenant in tenants for one in subscriptions.listed(conn, tenant)
    }
    for entry in content.entries:
        current = stored.pop((entry.subscription.tenant_id, entry.subscription.name.strip()), None)
        try:
            tenant = tenants[entry.subscription.tenant_id]
            wanted = checked(entry.subscription, tenant, template_dir, private_hosts)
        except FieldError as error:
            name = "max_lateness_hours" if error.field == "max_lateness" else error.field
            content.fault((*entry.place, name), entry.subscription.name, f"{error}. {error.remedy}")
            continue
        if current is None:
            found.added.append(wanted)
            continue
        wanted = replace(
            wanted,
            subscription_id=current.subscription_id,
            open_from=current.open_from,
            starts_on=wanted.starts_on or current.starts_on,
        )
        changes = differences(current, wanted)
        if changes:
            found.changed.append((wanted, changes))
        else:
            found.unchanged.append(wanted)
    content.refuse()
    found.absent = list(stored.values())
    return found


def apply(conn: Connection, difference: Difference, *, prune: bool, now: datetime | None = None) -> None:
    """Store what differs, all of it or nothing; with `prune` delete what the file does not have."""
    tenants: dict[str, Tenant] = {}

    def tenant(one: Subscription) -> Tenant:
        if one.tenant_id not in tenants:
            tenants[one.tenant_id] = tenant_of(conn, one.tenant_id)
        return tenants[one.tenant_id]

    with conn.transaction():
        for absent in difference.absent if prune else ():
            subscriptions.delete(conn, absent)
        for wanted, _ in difference.changed:
            current = subscriptions.reread(conn, wanted)
            store(conn, current, wanted, tenant(wanted), now or datetime.now(UTC))
        for wanted in difference.added:
            subscriptions.insert(conn, wanted, tenant(wanted))


def _tenants(conn: Connection, content: Content) -> dict[str, Tenant]:
    found: dict[str, Tenant] = {}
    for tenant_id in content.tenants:
        try:
            found[tenant_id] = tenant_of(conn, tenant_id)
        except MetricpressError as error:
            content.fault((tenant_id,), "", f"{error}. {error.remedy}")
    content.refuse()
    return found


def _subscription(tenant_id: str, values: Mapping[str, Any]) -> Subscription:
    given = dict(values)
    if "delivery_time" in given:
        given["delivery_time"] = time.fromisoformat(given["delivery_time"])
    if "starts_on" in given:
        given["starts_on"] = date.fromisoformat(given["starts_on"])
    if "max_lateness_hours" in given:
        given["max_lateness"] = timedelta(hours=given.pop("max_lateness_hours"))
    if "delivery_days" in given:
        given["delivery_days"] = [str(day) for day in given["delivery_days"]]
    return Subscription(tenant_id=tenant_id, **given)


def _name_at(data: Any, place: Place) -> str:
    """The name of the entry at that place, else which one of its tenant it is."""
    if len(place) < 2:
        return ""
    entry = data[place[0]][place[1]]
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else f"entry {int(place[1]) + 1}"


def _lines(
    node: yaml.Node, place: Place, content: Content, above: tuple[yaml.Node, ...] = ()
) -> Iterator[tuple[Place, int]]:
    """Line of every key and item; a key that stands twice is a fault."""
    if node in above:
        raise MetricpressError(f"{content.path}: an alias stands for something that holds it")
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, index), item.start_mark.line + 1
            yield from _lines(item, (*place, index), content, above)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                content.faults.append(f"{content.path}:{line}: {key.value!r} stands there twice")
            seen.add(key.value)
            yield (*place, key.value), line
            yield from _lines(value, (*place, key.value), content, above)
