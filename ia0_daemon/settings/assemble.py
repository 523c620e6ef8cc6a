"""Plain tables and the environment's overrides, made into ``Settings``.

Owns the walk along the schema. It does not stop at the first fault: each value
is judged on its own, and one that is wrong leaves the default in its place, so
that the rules between settings can still be tried. Never reads a file.

    overlay(tables, overrides) -> Assembly.settings() -> Settings, origins, faults
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from ia0_daemon.settings.catalogue import (
    MODEL_ID,
    MODEL_ID_RULE,
    USER_NAMES,
    Path,
    as_list,
    as_section,
    as_tables,
    hints,
)
from ia0_daemon.settings.environment import Foreign, Overrides, Text
from ia0_daemon.settings.faults import Fault, unknown
from ia0_daemon.settings.leaves import broken_entries, from_text, from_toml, is_secret, rule_of
from ia0_daemon.settings.schema import ApiKey, Section, Settings

S = TypeVar("S", bound=Section)

DEFAULT = "default"


def overlay(tables: Mapping[str, object], overrides: Overrides) -> dict[str, object]:
    """The file's tables with the environment's values at their places."""
    document = copy.deepcopy(dict(tables))
    if "models" not in document:
        document["models"] = _built_in_models()
    # The users' names last: they rename a model that an IA0_ name may just have made.
    for path, value in sorted(overrides.values.items(), key=lambda item: item[1].where in USER_NAMES):
        fault = _without_model(document, path, value)
        if fault is not None:
            overrides.faults.append(fault)
        else:
            _put(document, path, value)
    return document


def _built_in_models() -> dict[str, object]:
    return {
        name: {key: Foreign(value, DEFAULT) for key, value in msgspec.structs.asdict(model).items()}
        for name, model in Settings().models.items()
    }


def _without_model(document: Mapping[str, object], path: Path, value: Text | Foreign) -> Fault | None:
    """MODEL_QWEN2 renames a model; without a tag it cannot make one."""
    models = document.get("models")
    if (
        value.where not in USER_NAMES
        or path[0] != "models"
        or not isinstance(models, dict)
        or path[1] in models
    ):
        return None
    table = ".".join(path[:2])
    rule = (
        f"names {table}, which is not configured; "
        f"add [{table}] with its tag to the file, or unset {value.where}"
    )
    return Fault(".".join(path), None, rule, value.where)


def _put(document: dict[str, object], path: Path, value: Text | Foreign) -> None:
    table = document
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the walk refuses what stands there
        table = inner
    table[path[-1]] = value


class Assembly:
    """One walk along the schema; collects the faults and where each value comes from."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.faults: list[Fault] = []
        self.origins: dict[str, str] = {}

    def settings(self, document: Mapping[str, object]) -> Settings:
        """The settings; what is at fault has its default."""
        return self._section(Settings, document, "", self._file) or Settings()

    def more_keys(self, tables: list[object], key: str) -> tuple[ApiKey, ...]:
        """API keys that stand in a file of their own; ``key`` is what its list is called there."""
        return self._list(ApiKey, tables, key, self._file) or ()

    def _section(self, kind: type[S], table: object, key: str, where: str) -> S | None:
        if not isinstance(table, Mapping):
            self._refuse(key, None, "is not a table", where)
            return None
        types = hints(kind)
        for name in table:
            if name not in types:
                self._refuse(_joined(key, name), None, _unknown(name, key, types), where)
        found = {
            name: self._value(hint, table[name], _joined(key, name), where)
            for name, hint in types.items()
            if name in table
        }
        good = {name: value for name, value in found.items() if value is not None}
        return kind(**good) if self._complete(kind, table, good, key, where) else None

    def _complete(
        self,
        kind: type[Section],
        table: Mapping[str, object],
        good: Mapping[str, object],
        key: str,
        where: str,
    ) -> bool:
        required = [field.name for field in msgspec.structs.fields(kind) if field.required]
        for name in required:
            if name not in table:
                self._refuse(_joined(key, name), None, "is required and missing", where)
        return all(name in good for name in required)

    def _value(self, hint: object, raw: object, key: str, where: str) -> object:
        section, tables, listed = as_section(hint), as_tables(hint), as_list(hint)
        if section is not None:
            return self._section(section, raw, key, where)
        if tables is not None:
            return self._tables(tables, raw, key, where)
        if listed is not None and not isinstance(raw, Text):
            return self._list(listed, raw, key, where)
        return self._leaf(hint, raw, key, where)

    def _tables(self, kind: type[S], raw: object, key: str, where: str) -> dict[str, S] | None:
        if not isinstance(raw, Mapping):
            self._refuse(key, None, "is not a table", where)
            return None
        self.origins[key] = where
        for name in raw:
            if not MODEL_ID.fullmatch(name):
                self._refuse(_joined(key, name), None, MODEL_ID_RULE, where)
        found = {name: self._section(kind, table, _joined(key, name), where) for name, table in raw.items()}
        return {name: section for name, section in found.items() if section is not None}

    def _list(self, kind: type[S], raw: object, key: str, where: str) -> tuple[S, ...] | None:
        tables = raw
        if isinstance(raw, Foreign):
            tables, where = raw.value, raw.where
        self.origins[key] = where
        if not isinstance(tables, list):
            self._refuse(key, None, f"is not a list of tables; write [[{key}]]", where)
            return None
        found = [self._section(kind, table, f"{key}[{index}]", where) for index, table in enumerate(tables)]
        return tuple(section for section in found if section is not None)

    def _leaf(self, hint: object, raw: object, key: str, where: str) -> object:
        value = raw
        if isinstance(raw, Text | Foreign):
            value, where = raw.value, raw.where
        self.origins[key] = where
        try:
            return from_text(hint, raw.value) if isinstance(raw, Text) else from_toml(hint, value)
        except ValueError:  # msgspec's ValidationError is one
            self._refuse_leaf(hint, value, key, where, is_text=isinstance(raw, Text))
            return None

    def _refuse_leaf(self, hint: object, value: object, key: str, where: str, *, is_text: bool) -> None:
        """Point at the entries of a list that are wrong, where it is they; else at the whole."""
        broken = broken_entries(hint, value, is_text=is_text)
        for index, entry, rule in broken:
            self._refuse(f"{key}[{index}]", entry, rule, where)
        if not broken:
            self._refuse(key, None if is_secret(hint) else value, rule_of(hint), where)

    def _refuse(self, key: str, value: object, rule: str, where: str) -> None:
        self.faults.append(Fault(key, value, rule, where))


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _unknown(name: str, key: str, types: Mapping[str, object]) -> str:
    rule = unknown(_joined(key, name), [_joined(key, known) for known in types])
    return rule if "?" in rule else f"{rule}; allowed here: {', '.join(types)}"
