"""`GET /openapi.json` and `GET /docs`: the API's description, for programs and for people.

Owns the bytes of both, made at the first visit and kept. Never words anything:
the document is `openapi.py`'s, the page is `docs_page.py`'s.

    the other rows -> document -> JSON and HTML, each with its ETag
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flask import Response

from ia0_daemon.gateway.docs_page import page, policy
from ia0_daemon.gateway.openapi import document
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from collections.abc import Sequence


def with_documents(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Give the rows, and behind them those of their own description."""
    return (*operations, *Documents(operations).rows)


class Documents:
    """The description of some rows. What two visitors make at the same time is equal."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._others = tuple(operations)
        self.rows = (
            Operation(
                method="GET",
                path="/openapi.json",
                handle=self._json,
                summary="Describe the API for programs: OpenAPI 3.1.",
                tag="Documentation",
                gives={"type": "object", "required": ["openapi", "info", "paths"]},
                is_open=True,
            ),
            Operation(
                method="GET",
                path="/docs",
                handle=self._html,
                summary="Describe the API for people: a page that needs no file from outside.",
                tag="Documentation",
                gives={"type": "string"},
                gives_type="text/html",
                is_open=True,
            ),
        )

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document((*self._others, *self.rows))

    @cached_property
    def _as_json(self) -> bytes:
        return encode(self._document)

    @cached_property
    def _as_html(self) -> bytes:
        return page(self._document).encode()

    @cached_property
    def _policy(self) -> str:
        return policy()

    def _json(self, visit: Visit) -> Response:
        return _kept(visit, Response(self._as_json, mimetype="application/json"))

    def _html(self, visit: Visit) -> Response:
        response = Response(self._as_html, mimetype="text/html")
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        return _kept(visit, response)


def _kept(visit: Visit, response: Response) -> Response:
    """Let a browser ask again whether it is still the same: it changes with the daemon's version."""
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(visit.http)
    return response
