"""Requests that are wrong: bodies, media types, headers, lengths, chunks, methods, paths, pipelines.

Owns the strategy of one route's shots. Never sends one.
"""

from __future__ import annotations

import gzip
import json

from hypothesis import strategies as st

from tests.fuzz.bodies import wrong_bodies
from tests.fuzz.garbage import CHUNKS, HEADERS, LINES, MEDIA_TYPES, METHODS, PATHS, UNREADABLE
from tests.fuzz.shot import JSON, Shot, Target, write

Shots = st.SearchStrategy[Shot]


def shots(target: Target, known: list[str]) -> Shots:
    """Give the strategy of a route: each kind is as frequent as the others."""
    kinds = [_headers(target), _methods(target), _paths(target)]
    # Whether an answer to HEAD has a body, where it could not be read that it was HEAD, nobody can say.
    if target.gives_body:
        kinds += [_unreadable(target), _chunks(target), _lines(), _truncated(target), _pipelined(target)]
    if target.body is not None:
        good = json.loads(target.body)
        kinds += [_bodied(target, name, bodies) for name, bodies in wrong_bodies(good, known).items()]
        kinds.append(_media_types(target))
    return st.one_of(kinds)


def _bodied(target: Target, kind: str, bodies: st.SearchStrategy[bytes]) -> Shots:
    return bodies.map(lambda body: Shot(kind, target.request(body)))


@st.composite
def _media_types(draw: st.DrawFn, target: Target) -> Shot:
    body = target.body or b""
    if draw(st.integers(0, 3)) == 0:
        packed = gzip.compress(body) if draw(st.booleans()) else body
        return Shot("media types", target.request(packed, JSON, (b"Content-Encoding", b"gzip")))
    noise = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30).map(str.encode)
    return Shot(
        "media types", target.request(body, (b"Content-Type", draw(st.sampled_from(MEDIA_TYPES) | noise)))
    )


@st.composite
def _headers(draw: st.DrawFn, target: Target) -> Shot:
    noise = st.tuples(
        st.text("abcXYZ-_09!#$", min_size=1, max_size=20).map(str.encode),
        st.binary(max_size=60).map(lambda value: bytes(each for each in value if each not in b"\r\n\0")),
    )
    more = draw(st.lists(st.sampled_from(HEADERS) | noise, min_size=1, max_size=5))
    kind = [JSON] if target.is_bodied else []
    # Some of them end the connection: nobody relies on what stands behind.
    return Shot("headers", target.request(None, *kind, *more), has_body=target.gives_body, is_clean=False)


@st.composite
def _unreadable(draw: st.DrawFn, target: Target) -> Shot:
    wrong = draw(st.lists(st.sampled_from(UNREADABLE), min_size=1, max_size=2))
    data = write(target.method, target.path, [*target.headers(), JSON, *wrong], target.body or b"")
    return Shot("unreadable headers", data, answers=0, is_clean=False)


@st.composite
def _methods(draw: st.DrawFn, target: Target) -> Shot:
    method = draw(st.sampled_from(METHODS) | st.text("ABCxyz-", min_size=1, max_size=12))
    body = draw(st.sampled_from([b"", target.body or b"{}"]))
    length = [(b"Content-Length", b"%d" % len(body)), JSON] if body else []
    data = write(method, target.path, [*target.headers(), *length], body)
    has_body = method.upper() != "HEAD"
    return Shot("methods", data, has_body=has_body, is_clean=has_body)


@st.composite
def _paths(draw: st.DrawFn, target: Target) -> Shot:
    junk = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30)
    path = target.path + draw(st.sampled_from(PATHS) | junk)
    body = target.body or b""
    length = [(b"Content-Length", b"%d" % len(body)), JSON] if body else []
    data = write(target.method, path, [*target.headers(), *length], body)
    return Shot("paths", data, has_body=target.gives_body)


@st.composite
def _chunks(draw: st.DrawFn, target: Target) -> Shot:
    body = target.body or b"{}"
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    at = draw(st.integers(0, len(whole)))
    chunks = draw(st.sampled_from([*CHUNKS, whole, whole[:at], whole[:at] + b"\xff" + whole[at:]]))
    headers = [*target.headers(), JSON, (b"Transfer-Encoding", b"chunked")]
    if draw(st.booleans()):
        headers.append((b"Content-Length", b"%d" % draw(st.integers(0, 50))))
    return Shot("chunks", write(target.method, target.path, headers, chunks), answers=0, is_clean=False)


@st.composite
def _lines(draw: st.DrawFn) -> Shot:
    noise = st.binary(min_size=1, max_size=200).map(lambda data: data + b"\r\n\r\n")
    return Shot(
        "request lines", draw(st.sampled_from(LINES) | noise), answers=0, is_here=False, is_clean=False
    )


@st.composite
def _truncated(draw: st.DrawFn, target: Target) -> Shot:
    whole = target.request()
    cut = whole[: draw(st.integers(1, len(whole) - 1))]
    return Shot("truncated", cut, answers=0, is_clean=False)


@st.composite
def _pipelined(draw: st.DrawFn, target: Target) -> Shot:
    probe = write("GET", "/health/live", target.headers())
    broken = target.request(b"{") if target.is_bodied else write("BREW", target.path, target.headers())
    parts = draw(st.lists(st.sampled_from([probe, broken]), min_size=2, max_size=4))
    return Shot("pipelined", b"".join(parts), answers=len(parts))
