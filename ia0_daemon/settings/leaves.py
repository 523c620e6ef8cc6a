"""One value: from the file's type or the environment's text to the schema's type.

Owns the words in which a type's rule is told. Never knows the key or the place.

    from_toml(hint, value) / from_text(hint, text) -> the value, or ValueError
    rule_of(hint) -> "is not a whole number from 4 to 1024"
"""

from __future__ import annotations

import re
from typing import Annotated, TypeGuard, get_args, get_origin

import msgspec

from ia0_daemon.settings.catalogue import as_list, bare
from ia0_daemon.settings.schema import Between, Secret, Spelled
from ia0_daemon.settings.units import Amount, Bytes, KeepAlive, Level, Seconds

Parsed = type[Seconds] | type[Bytes] | type[Amount] | type[KeepAlive] | type[Level]
_PARSED = (Seconds, Bytes, Amount, KeepAlive, Level)

_WORDS = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip

# Patterns of the schema in words; one that is missing here is told as it is.
_PATTERNS = {
    r"^[0-9a-f]{64}$": "a SHA-256 in lower-case hex (64 digits); `ia0 keys hash` computes it from a key",
    r"^[a-z]{2,3}$": "a language code such as pt or en",
    r"^(json|slack)$": "one of json, slack",
    r"^(refuse|strip)$": "one of refuse, strip",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a name of 1 to 64 letters, digits, dots, hyphens or underscores",
}


def is_secret(hint: object) -> bool:
    """Whether the value must not be shown."""
    return any(isinstance(mark, Secret) for mark in _marks(hint))


def from_toml(hint: object, value: object) -> object:
    """A value of the file, whose own type counts: ``"5"`` is no number."""
    kind = bare(hint)
    if is_parsed(kind):
        return _within(hint, kind.parse(value))
    return msgspec.convert(value, hint)


def from_text(hint: object, text: str) -> object:
    """A value of the environment, which knows nothing but text."""
    kind, plain = bare(hint), _unquoted(text)
    if kind is bool:
        return _word(plain)
    if kind is int:
        return from_toml(hint, _whole(plain))
    if get_origin(kind) is tuple:
        return from_toml(hint, _listed(hint, plain))
    return from_toml(hint, plain)


def broken_entries(hint: object, value: object, *, is_text: bool) -> list[tuple[int, object, str]]:
    """Entries of a list that break its rule: number, value and rule; none where it is no list of values.

    `is_text`: it is a list of the environment.
    """
    kind = bare(hint)
    if get_origin(kind) is not tuple or as_list(hint) is not None:
        return []
    each = get_args(kind)[0]
    entries = _listed(hint, _unquoted(str(value))) if is_text else value
    found = enumerate(entries) if isinstance(entries, list) else ()
    return [(index, entry, rule_of(each)) for index, entry in found if not _fits(each, entry)]


def _fits(hint: object, value: object) -> bool:
    try:
        from_toml(hint, value)
    except ValueError:  # msgspec's ValidationError is one
        return False
    return True


def rule_of(hint: object) -> str:
    """What the value should have been, to stand behind it: ``is not a whole number from 1 to 9``."""
    return f"is not {allowed(hint)}"


def allowed(hint: object) -> str:
    """The values that a type takes, in words."""
    kind = bare(hint)
    if is_parsed(kind):
        return kind.rule + _range_text(hint, kind)
    if kind is bool:
        return "true or false"
    if kind is int:
        return _whole_text(hint)
    if as_list(hint) is not None:
        return "a list of tables; in the environment name:sha256, separated by commas"
    if get_origin(kind) is tuple:
        return f"a list, each {allowed(get_args(kind)[0])}"
    return _text_text(hint)


def is_parsed(kind: object) -> TypeGuard[Parsed]:
    """Whether a type reads its own spelling."""
    return kind in _PARSED


def _marks(hint: object) -> tuple[object, ...]:
    return tuple(get_args(hint)[1:]) if get_origin(hint) is Annotated else ()


def _between(hint: object) -> Between | None:
    return next((mark for mark in _marks(hint) if isinstance(mark, Between)), None)


def _meta(hint: object) -> msgspec.Meta:
    return next((mark for mark in _marks(hint) if isinstance(mark, msgspec.Meta)), msgspec.Meta())


def _within(hint: object, value: object) -> object:
    limits = _between(hint)
    if limits is not None and isinstance(value, int | float) and not limits.low <= value <= limits.high:
        raise ValueError(value)
    return value


def _range_text(hint: object, kind: Parsed) -> str:
    limits = _between(hint)
    if limits is None:
        return ""
    low, high = (
        Seconds(end).text() if kind is Seconds else Bytes(end).text() for end in (limits.low, limits.high)
    )
    return f", from {low} to {high}"


def _whole_text(hint: object) -> str:
    meta = _meta(hint)
    return "a whole number" if meta.ge is None else f"a whole number from {meta.ge} to {meta.le}"


def _text_text(hint: object) -> str:
    spelled = next((mark.text for mark in _marks(hint) if isinstance(mark, Spelled)), None)
    pattern = _meta(hint).pattern
    if pattern is not None:
        return _PATTERNS.get(pattern, f"a text that matches {pattern}")
    return spelled or "a text"


def _unquoted(text: str) -> str:
    """An env file of a container keeps the quotes that a shell or systemd would take away."""
    plain = text.strip()
    return plain[1:-1] if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'" else plain


def _word(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError(text)
    return _WORDS[text.lower()]


def _whole(text: str) -> int:
    # Not int() alone: it takes "1_000" and Arabic digits too, and has no bound.
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _listed(hint: object, text: str) -> list[object]:
    parts = [part.strip() for part in text.split(",")] if text else []
    if as_list(hint) is None:
        return list(parts)
    return [_key_table(part) for part in parts]


def _key_table(text: str) -> dict[str, str]:
    name, colon, sha256 = text.partition(":")
    if not colon:
        raise ValueError("no colon")
    return {"name": name.strip(), "sha256": sha256.strip()}
