"""Which route a request is for: looked up where its path is a route's own, else matched by Werkzeug.

Owns that shortcut. Werkzeug reads the Host header and walks through its tree of rules for
every request; no route of ours depends on a host, and nearly all have no variable in their path.

    path and method -> the rule, or Werkzeug's own answer (variables, 404, 405)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.routing import Map, MapAdapter, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Request

Known = dict[tuple[str, str], Rule]


def known_rules(rules: Map) -> Known:
    """Give the rules whose paths have no variable, by path and method."""
    return {
        (rule.rule, method): rule
        for rule in rules.iter_rules()
        if not rule.arguments
        for method in rule.methods or ()
    }


class RouteTable(MapAdapter):
    """What Flask asks for the rule of one request."""

    def __init__(self, rules: Map, known: Known, request: Request) -> None:
        environ = request.environ
        self._known = known.get((environ["PATH_INFO"], environ["REQUEST_METHOD"]))
        super().__init__(
            rules,
            server_name="",
            script_name=environ.get("SCRIPT_NAME") or "/",
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=request.path,
            default_method=environ["REQUEST_METHOD"],
        )

    def match(self, *args: Any, **kwargs: Any) -> tuple[Any, Mapping[str, Any]]:
        """Give the rule and what its variables hold. Raises what Werkzeug raises."""
        if self._known is not None:
            return self._known, {}
        return super().match(*args, **kwargs)
