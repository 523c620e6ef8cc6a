"""One route of the API as a row of a table, from which it is registered, described and tested.

Owns the forms of a row and of a visit. Never answers anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request, Response

    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.service import Live, Service
    from ia0_daemon.settings.schema import ApiKey


@dataclass(frozen=True, slots=True)
class Visit:
    """One request at a route, with everything that it is answered with."""

    service: Service
    live: Live
    call: Call
    key: ApiKey | None
    """Who asks; none where the API is open."""
    http: Request
    args: dict[str, str] = field(default_factory=dict)
    """What the path's variables hold."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A route: method and path, who may use it, what it takes and gives."""

    method: str
    path: str
    """As Flask writes it: `/v1/models/<path:model>`."""
    handle: Callable[[Visit], Response]
    summary: str
    """One sentence; the API's documentation bears it."""
    tag: str
    """The heading under which it is documented."""
    takes: Any = None
    """The struct of its body, or a JSON schema as a dict."""
    takes_type: str = "application/json"
    """The media type of its body."""
    gives: Any = None
    """The struct of its answer, or a JSON schema as a dict."""
    gives_type: str = "application/json"
    """The media type of its answer; empty: it has no body."""
    statuses: tuple[int, ...] = (200,)
    """The statuses under which it gives that."""
    streams: str | tuple[str, ...] = ""
    """The media type of its streams, where it has any; or all of them."""
    stream_gives: tuple[type, ...] = ()
    """The structs of its streams' messages, beside errors."""
    stream_fails: type | None = None
    """The struct of an error in mid-stream, where it is not the one of the path's errors."""
    stream_end: str = ""
    """What its streams' last message is where that is no JSON."""
    is_limited: bool = False
    """Whether it counts against the limits of a key: what asks the engine for work does."""
    is_admin: bool = False
    """Whether the key must be an administrator's."""
    is_open: bool = False
    """Whether no key is needed."""
    is_relayed: bool = False
    """Whether what the engine refuses is handed through with its own status."""
    description: str = ""
    errors: tuple[type[ServiceError], ...] = ()
    """Errors beside those that every route has."""
    examples: tuple[dict[str, Any], ...] = ()
    """Bodies that the documentation shows and a test sends."""
