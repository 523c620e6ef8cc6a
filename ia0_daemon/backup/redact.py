"""Texts without their secrets, such that a changed secret is still seen to have changed.

Owns what counts as a secret in a configuration file. Never reads a file.

    text -> text with (hidden, sha256 1a2b3c4d) in the place of each secret
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator

from ia0_daemon.settings.catalogue import as_list, hints, settings
from ia0_daemon.settings.leaves import is_secret
from ia0_daemon.settings.schema import Section

_SHOWN_DIGITS = 8
# Shorter values would be found within innocent words; their own line hides them all the same.
_SHORTEST = 6
_HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
_PLAIN_KEY = re.compile(r"\bia0-[A-Za-z0-9_-]{43}")
_IN_URL = re.compile(r"(?<=://)[^/\s@\"']+(?=@)")
_ASSIGNED = re.compile(
    r"^(?P<head>\s*(?:export\s+|Environment=\"?)?(?P<name>[A-Za-z0-9_.-]+)\s*=\s*)(?P<value>\S.*)$"
)
_SECRET_WORDS = frozenset(
    {"secret", "password", "passwd", "passphrase", "credential", "credentials", "webhook"}
)
# Not "tokens": max_tokens is none.
_SECRET_ENDS = frozenset({"token", "key", "auth", "dsn"})


def redacted(text: str) -> str:
    """The text with every secret hidden."""
    for value in sorted(_toml_secrets(text), key=len, reverse=True):
        text = text.replace(value, _hidden(value))
    text = _PLAIN_KEY.sub(lambda found: _hidden(found[0]), text)
    text = _IN_URL.sub(lambda found: _hidden(found[0]), text)
    text = "\n".join(_line(line) for line in text.split("\n"))
    return _HASH.sub(r"\1...", text)


def short(sha256: str) -> str:
    """Enough of a hash to tell two apart."""
    return f"{sha256[:_SHOWN_DIGITS]}..."


def _hidden(value: str) -> str:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"(hidden, sha256 {short(digest)})"


def _line(line: str) -> str:
    found = _ASSIGNED.match(line)
    if found is None or not _is_secret_name(found["name"]) or "(hidden" in found["value"]:
        return line
    return found["head"] + _hidden(found["value"])


def _is_secret_name(name: str) -> bool:
    words = re.split(r"[_.-]+", name.lower())
    return bool(_SECRET_WORDS & set(words)) or words[-1] in _SECRET_ENDS


def _toml_secrets(text: str) -> Iterator[str]:
    """Values of secret settings wherever TOML puts them, over several lines or in a table of one line."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    yield from (value for value in _secrets(tables, _secret_keys()) if not _HASH.fullmatch(value))


def _secret_keys() -> frozenset[str]:
    marked = {setting.path[-1] for setting in settings() if is_secret(setting.hint)}
    inner = [section for setting in settings() if (section := as_list(setting.hint)) is not None]
    return frozenset(marked | {name for section in inner for name in _marked(section)})


def _marked(section: type[Section]) -> Iterator[str]:
    yield from (name for name, hint in hints(section).items() if is_secret(hint))


def _secrets(value: object, names: frozenset[str], *, inside: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            # A list of keys is marked as a whole, but the keys' names are none.
            marked = name in names or _is_secret_name(name)
            yield from _secrets(inner, names, inside=marked and not _is_tables(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, names, inside=inside)
    elif inside and isinstance(value, str) and len(value) >= _SHORTEST:
        yield value


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
