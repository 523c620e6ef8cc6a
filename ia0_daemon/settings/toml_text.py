"""Values as TOML writes them, and the example configuration.

Owns the text of ``ia0 config example``. Never reads a configuration.

    schema's words and defaults -> ia0.toml with a comment above each key
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

import msgspec

from ia0_daemon.settings.catalogue import as_list, as_section, as_tables, hints
from ia0_daemon.settings.documented import words
from ia0_daemon.settings.leaves import allowed
from ia0_daemon.settings.schema import ApiKey, Section, Settings
from ia0_daemon.settings.units import Bytes, Seconds

_WIDTH = 100

_HEAD = """\
# The configuration of IA-0's daemon, with every setting at its default. `ia0 config check FILE` checks it.
#
# Every setting can be overridden by an environment variable, IA0_<SECTION>__<KEY>; OLLAMA_HOST, MODEL_QWEN2,
# MODEL_LLAMA, MAX_TOKENS, TIMEOUT and LOG_LEVEL work as well. Delete what you do not change.
"""


def written(value: object) -> str:
    """A value as it stands behind the ``=``; sizes and durations with their unit."""
    if isinstance(value, Seconds | Bytes):
        return json.dumps(value.text())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(written(each) for each in value)}]"
    if isinstance(value, str):
        # JSON's string is TOML's basic string, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def example() -> str:
    """The whole example configuration; loading it gives the defaults."""
    settings = Settings()
    lines = [_HEAD, *_keys(Settings, settings), ""]
    for name, hint in hints(Settings).items():
        section = as_section(hint)
        if section is not None:
            lines += [*_table(section, name, getattr(settings, name)), ""]
        elif as_tables(hint) is not None:
            lines += [*_models(settings), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(section: type[Section], name: str, values: Section) -> Iterator[str]:
    yield from _comment(words(section).section)
    yield f"[{name}]"
    yield from _keys(section, values)


def _keys(section: type[Section], values: Section) -> Iterator[str]:
    """The plain keys of a section; lists of tables become a commented example."""
    for name, hint in hints(section).items():
        if as_section(hint) or as_tables(hint):
            continue
        yield from _comment(words(section).fields[name])
        if as_list(hint) is not None:
            yield from _commented_key()
            continue
        yield from _comment(f"Allowed: {allowed(hint)}.")
        yield f"{name} = {written(getattr(values, name))}"


def _commented_key() -> Iterator[str]:
    """Commented out, so that nobody starts with a key that is printed here."""
    fields = words(ApiKey).fields
    yield "# [[auth.keys]]"
    yield f'# name = "my-application"    # {fields["name"]}'
    yield f'# sha256 = "..."             # {fields["sha256"]}'


def _models(settings: Settings) -> Iterator[str]:
    yield from _comment(words(Settings).fields["models"])
    for index, (name, model) in enumerate(settings.models.items()):
        if index == 0:
            yield from _table(type(model), f"models.{name}", model)
            continue
        yield ""
        yield f"[models.{name}]"
        yield from (f"{key} = {written(value)}" for key, value in msgspec.structs.asdict(model).items())


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH):
        yield f"# {line}"
