"""One request as bytes, and what may come of it.

Owns how a request is written, right or wrong. Never sends one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Header = tuple[bytes, bytes]
JSON: Header = (b"Content-Type", b"application/json")


@dataclass(frozen=True)
class Shot:
    """Bytes for one connection."""

    kind: str
    data: bytes
    answers: int = 1
    """How many answers are due; 0: there may be one, or the daemon waits for more, or it hangs up."""
    has_body: bool = True
    """Whether the answer has a body: that to HEAD has none."""
    is_here: bool = True
    """Whether it asks for the target's path."""
    is_clean: bool = True
    """Whether the connection is good for another request afterwards."""


@dataclass(frozen=True)
class Target:
    """A route, with what a good request to it looks like."""

    method: str
    path: str
    body: bytes | None
    key: str = ""

    @property
    def is_bodied(self) -> bool:
        """Whether it takes a body."""
        return self.body is not None

    @property
    def gives_body(self) -> bool:
        """Whether answers have one."""
        return self.method != "HEAD"

    def headers(self) -> list[Header]:
        """Give the headers that every request bears."""
        key = [(b"Authorization", b"Bearer " + self.key.encode())] if self.key else []
        return [(b"Host", b"127.0.0.1"), *key]

    def request(self, body: bytes | None = None, *more: Header) -> bytes:
        """Write a request that HTTP can read; the body is the good one where none is given."""
        content = body if body is not None else self.body
        if content is None:
            return write(self.method, self.path, [*self.headers(), *more])
        length = (b"Content-Length", b"%d" % len(content))
        return write(self.method, self.path, [*self.headers(), *(more or (JSON,)), length], content)


def write(method: str | bytes, path: str | bytes, headers: Sequence[Header], body: bytes = b"") -> bytes:
    """Write a request as it is told, sound or not."""
    verb = method if isinstance(method, bytes) else method.encode("latin-1", "replace")
    place = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    lines = [b"%s %s HTTP/1.1" % (verb, place), *(b"%s: %s" % pair for pair in headers), b"", b""]
    return b"\r\n".join(lines) + body
