"""Bodies that are wrong: in JSON, in types, in numbers, in depth, in letters.

Owns the strategies for bytes of a body, made from good ones. Never knows HTTP.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.garbage import BROKEN_UTF8, NUMBERS, SNIPPETS

MARK = "@@mark@@"

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.sampled_from(["auto", "\ud83d\ude00", "\x00", "a" * 5000, "../../etc/passwd", "${jndi}", "%s%n"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Give every place in a value: of fields, of items, and the value itself."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """Give a copy with another value at a place."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def encode(value: Any) -> bytes:
    """Write JSON, lone surrogates as they are escaped."""
    return json.dumps(value).encode()


@st.composite
def wrong_types(draw: st.DrawFn, good: Any) -> bytes:
    """Put any value where another one belongs."""
    return encode(replaced(good, draw(st.sampled_from(places(good))), draw(values)))


@st.composite
def extreme_numbers(draw: st.DrawFn, good: Any) -> bytes:
    """Put a number, or what looks like one, where a value belongs."""
    marked = encode(replaced(good, draw(st.sampled_from(places(good))), MARK))
    return marked.replace(f'"{MARK}"'.encode(), draw(st.sampled_from(NUMBERS)).encode())


@st.composite
def wrong_fields(draw: st.DrawFn, good: Any, known: list[str]) -> bytes:
    """Leave fields out, add known and unknown ones, or say one twice."""
    kept = {name: value for name, value in good.items() if draw(st.booleans())}
    added = draw(st.dictionaries(st.sampled_from(known) | st.text(max_size=12), values, max_size=4))
    text = encode({**kept, **added})
    if draw(st.booleans()):
        return text
    return b"{" + b",".join([text[1:-1] or b'"a":1'] * 2) + b"}"


@st.composite
def deep(draw: st.DrawFn, good: Any) -> bytes:
    """Nest until a reader that calls itself has no stack left."""
    depth = draw(st.sampled_from([1, 50, 500, 1500, 10_000, 100_000]))
    opening, closing = draw(
        st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"), (b"[[],", b"]")])
    )
    nest = opening * depth + b"1" + closing * draw(st.sampled_from([depth, 0, depth - 1]))
    marked = encode(replaced(good, draw(st.sampled_from(places(good))), MARK))
    return marked.replace(f'"{MARK}"'.encode(), nest)


@st.composite
def broken_json(draw: st.DrawFn, good: Any) -> bytes:
    """Cut a body, put something into it, or send something else."""
    text = encode(good)
    at = draw(st.integers(0, len(text)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + draw(st.sampled_from(SNIPPETS)) + text[at:]
    return draw(st.sampled_from(SNIPPETS)) if kind == 2 else draw(st.binary(max_size=200))


@st.composite
def broken_letters(draw: st.DrawFn, good: Any) -> bytes:
    """Put bytes that are no UTF-8 anywhere, or write it all in another encoding."""
    text = encode(good)
    encoding = draw(st.sampled_from(["", "", "", "utf-16", "utf-32", "utf-8-sig", "cp037"]))
    if encoding:
        return text.decode().encode(encoding)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from(BROKEN_UTF8)) * draw(st.integers(1, 3)) + text[at:]


def wrong_bodies(good: Any, known: list[str]) -> dict[str, st.SearchStrategy[bytes]]:
    """Give the strategies by the names under which they are counted."""
    return {
        "wrong types": wrong_types(good),
        "extreme numbers": extreme_numbers(good),
        "wrong fields": wrong_fields(good, known),
        "deep nesting": deep(good),
        "broken JSON": broken_json(good),
        "broken letters": broken_letters(good),
    }
