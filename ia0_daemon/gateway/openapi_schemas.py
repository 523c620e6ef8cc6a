"""The schemas of the API's description: every struct that a route takes or gives, with its own words.

Owns `components/schemas` and the references to it. Pure; never knows a route.

    structs -> msgspec's JSON schemas -> descriptions from their docstrings -> components
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from ia0_daemon.gateway.documented import Words, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]
# How the modules for other services' clients begin, and how the names of their structs do.
_FAMILIES = {"openai": "OpenAI", "ollama": "Ollama"}


@dataclass(frozen=True, slots=True)
class Schemas:
    """The schemas of all types of an API."""

    components: dict[str, Schema]
    refs: dict[type, Schema]

    @classmethod
    def of(cls, kinds: Iterable[Any]) -> Schemas:
        """Make them of the types that routes name; a schema that is a dict already is left as it is."""
        wanted = [kind for kind in kinds if kind is not None and not isinstance(kind, dict)]
        every = list(dict.fromkeys(inner for kind in wanted for inner in _inner(inspect.type_info(kind))))
        roots, components = msgspec.json.schema_components([*every, *wanted], ref_template=REF)
        refs = dict(zip([*every, *wanted], roots, strict=True))
        _describe(components, {kind: refs[kind] for kind in every})
        names = _names_of({kind: refs[kind] for kind in every})
        renamed = {names.get(name, name): _renamed(schema, names) for name, schema in components.items()}
        return cls(renamed, {kind: _renamed(ref, names) for kind, ref in refs.items()})

    def schema(self, kind: Any) -> Schema:
        """Give the schema of what a row names: a reference, a schema of its own, or one that allows all."""
        if kind is None:
            return {}
        return kind if isinstance(kind, dict) else self.refs[kind]


def _inner(kind: inspect.Type) -> Iterator[type]:
    """Give all structs and typed dicts in a type, depth first; each is asked for once by the caller."""
    seen: set[type] = set()
    waiting: list[inspect.Type] = [kind]
    while waiting:
        each = waiting.pop()
        if isinstance(each, inspect.StructType | inspect.TypedDictType):
            if each.cls in seen:
                continue
            seen.add(each.cls)
            yield each.cls
            waiting += [field.type for field in each.fields]
        else:
            waiting += _parts(each)


def _parts(kind: inspect.Type) -> Iterator[inspect.Type]:
    for name in kind.__struct_fields__:
        value = getattr(kind, name)
        yield from (each for each in _as_tuple(value) if isinstance(each, inspect.Type))


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _describe(components: dict[str, Schema], refs: dict[type, Schema]) -> None:
    """Lay the docstrings of fields beside their schemas, and those of types on one line."""
    words = Words()
    for kind, ref in refs.items():
        schema = components.get(_behind(ref))
        if schema is None:
            continue
        if "description" in schema:
            schema["description"] = flat(schema["description"])
        encoded = dict(zip(_names(kind), _encoded(kind), strict=True))
        for name, said in words.of(kind).items():
            if place := schema.get("properties", {}).get(encoded.get(name)):
                place.setdefault("description", said)


def _names_of(refs: dict[type, Schema]) -> dict[str, str]:
    """Give short names for msgspec's, which are long where two modules have a struct of the same name."""
    wished = {_behind(ref): _FAMILIES.get(_family(kind), "") + kind.__name__ for kind, ref in refs.items()}
    counts = Counter(wished.values())
    return {long: short for long, short in wished.items() if long and counts[short] == 1}


def _family(kind: type) -> str:
    """Give the first word of a module's name: whose clients it is for."""
    return kind.__module__.rpartition(".")[2].partition("_")[0]


def _behind(ref: Schema) -> str:
    return str(ref.get("$ref", "")).rpartition("/")[2]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    said = {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(said.get("$ref"), str):
        said["$ref"] = REF.format(name=names.get(_behind(said), _behind(said)))
    mapping = said.get("mapping")
    if isinstance(mapping, dict):
        said["mapping"] = {
            key: _renamed({"$ref": ref}, names)["$ref"]
            for key, ref in mapping.items()
            if isinstance(ref, str)
        }
    return said


def _names(kind: type) -> tuple[str, ...]:
    return getattr(kind, "__struct_fields__", tuple(kind.__annotations__))


def _encoded(kind: type) -> tuple[str, ...]:
    return getattr(kind, "__struct_encode_fields__", tuple(kind.__annotations__))
