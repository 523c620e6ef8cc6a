"""What a kind of body has where a path leads: its fields, its choices, and where a field really belongs.

Owns the walk along the types of a body. Pure; never sees a body. It is for errors alone: nobody walks while
everything is right.

    kind of body, steps to a place -> fields there | choices there | where a misplaced field belongs
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Steps = list[str | int]

# A name that is longer is nobody's slip, and comparing it would take its time.
_LONGEST_NAME = 64
# What may stand beside single values.
_WORDS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.DictType: "an object",
    inspect.StructType: "an object",
    inspect.ListType: "a list",
}


def fields_at(kind: type[msgspec.Struct], steps: Steps) -> list[str]:
    """Give the fields that are known where the steps lead; none where that is no object."""
    return list(
        dict.fromkeys(field.encode_name for each in _structs(_at(kind, steps)) for field in each.fields)
    )


def choices_at(kind: type[msgspec.Struct], steps: Steps) -> list[str]:
    """Give what may stand there in words, where it is one of some values; none where any value may."""
    types = _at(kind, steps)
    values = [value for each in types for value in _values(each)]
    if values:
        return [*map(_as_json, values), *(word for each in types if (word := _WORDS.get(type(each))))]
    # The field that says of which kind an object is stands in none of the structs.
    return [
        _as_json(each.tag)
        for each in _structs(_at(kind, steps[:-1]))
        if steps and each.tag_field == steps[-1]
    ]


def meant(kind: type[msgspec.Struct], steps: Steps, name: str) -> str:
    """Give the path of the field that was probably meant by an unknown one; empty where none is near.

    One in the wrong place comes first, then a misspelt one of this place, then one of another place.
    """
    if len(name) > _LONGEST_NAME:
        return ""
    here = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
    at_this_place = {each: f"{here}.{each}" if here else each for each in fields_at(kind, steps)}
    elsewhere = dict(_places(_info(kind), ""))
    if name in elsewhere:
        return elsewhere[name]
    return _nearest(name, at_this_place) or _nearest(name, elsewhere)


@cache
def _info(kind: type[msgspec.Struct]) -> inspect.Type:
    """Give the types of a body. It takes a millisecond, and anybody may send what is wrong."""
    return inspect.type_info(kind)


def _nearest(name: str, paths: dict[str, str]) -> str:
    near = get_close_matches(name, paths, n=1)
    return paths[near[0]] if near else ""


def _places(here: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    """Every field with its path, the deepest first; what stands in lists has no one place."""
    for struct in _structs(_members(here)):
        for field in struct.fields:
            yield from _places(field.type, f"{path}{field.encode_name}.")
        for field in struct.fields:
            yield field.encode_name, f"{path}{field.encode_name}"


def _at(kind: type[msgspec.Struct], steps: Steps) -> list[inspect.Type]:
    here: list[inspect.Type] = [_info(kind)]
    for step in steps:
        here = [inner for each in here for inner in _inner(each, step)]
    return here


def _inner(here: inspect.Type, step: str | int) -> list[inspect.Type]:
    if isinstance(here, inspect.StructType):
        return [inner for field in here.fields if field.encode_name == step for inner in _members(field.type)]
    if isinstance(here, inspect.ListType):
        return _members(here.item_type)
    return _members(here.value_type) if isinstance(here, inspect.DictType) else []


def _members(kind: inspect.Type) -> list[inspect.Type]:
    """Give what a type may be: the types of a union, else itself."""
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def _structs(types: Sequence[inspect.Type]) -> list[inspect.StructType]:
    return [each for each in types if isinstance(each, inspect.StructType)]


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _values(kind: inspect.Type) -> list[object]:
    if isinstance(kind, inspect.LiteralType):
        return list(kind.values)
    return [each.value for each in kind.cls] if isinstance(kind, inspect.EnumType) else []
