"""The shape of what templates see: which names stand where, without values.

Belongs here: shapes and how they are made from a sample. Does not belong here: the walk over a template
(names.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Text:
    """A text, a number or a yes or no; `choices`: the texts it can be, where they stand in the template."""

    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Any_:
    """What is not known."""


@dataclass(frozen=True)
class Seq:
    """A list."""

    item: Shape


@dataclass(frozen=True)
class Obj:
    """Something with names in it."""

    fields: Mapping[str, Shape]


@dataclass(frozen=True)
class Figures:
    """Figures by key."""

    item: Shape


@dataclass(frozen=True)
class Function:
    """What may be called: a function by its name, a macro, a block."""

    name: str = ""


Shape = Text | Any_ | Seq | Obj | Figures | Function
#: Work on a hostile template stays in proportion to its length.
MOST_CHOICES = 200
TEXT, ANY = Text(), Any_()
LOOP = Obj(
    dict.fromkeys(
        ("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"), TEXT
    )
    | {"previtem": ANY, "nextitem": ANY, "cycle": Function(), "changed": Function()}
)


def shape_of(value: Any) -> Shape:
    """The shape of plain data."""
    if isinstance(value, Mapping):
        return Obj({str(key): shape_of(one) for key, one in value.items()})
    if isinstance(value, list | tuple):
        item: Shape = ANY
        for one in value:
            item = merged(item, shape_of(one))
        return Seq(item)
    return TEXT


def merged(one: Shape, other: Shape) -> Shape:  # noqa: PLR0911  # one a kind of shape
    """What may be either."""
    if one is other:
        return one
    match one, other:
        case Any_(), _:
            return other
        case _, Any_():
            return one
        case Text(), Text():
            choices = tuple(dict.fromkeys(one.choices + other.choices))
            return Text(choices) if one.choices and other.choices and len(choices) <= MOST_CHOICES else TEXT
        case Seq(), Seq():
            return Seq(merged(one.item, other.item))
        case Obj(), Obj():
            names = dict(one.fields)
            for name, shape in other.fields.items():
                names[name] = merged(names[name], shape) if name in names else shape
            return Obj(names)
        case _:
            return one if one == other else ANY


def of_schema(schema: Mapping[str, Any]) -> Shape:
    """The shape of values that a JSON Schema describes."""
    match schema.get("type"):
        case "object":
            return Obj({name: of_schema(part) for name, part in (schema.get("properties") or {}).items()})
        case "array":
            items = schema.get("items")
            return Seq(of_schema(items) if isinstance(items, Mapping) else ANY)
        case "string" | "number" | "integer" | "boolean":
            return TEXT
        case _:
            return TEXT if "enum" in schema or "const" in schema else ANY
