"""How the bytes of a request are read: waitress' parser, without three faults that bad requests found in it.

Owns no rule of HTTP; each method says which fault it mends (waitress 3.0.2). Never answers.
"""

from __future__ import annotations

from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError


class Parser(HTTPRequestParser):
    """Reads one request."""

    # The channel logs it when the caller of an unreadable request has left; without one that is a traceback.
    path = ""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and headers. Raises waitress' errors, which become a refusal.

        `GET http://[::1` raises another one, and the connection would end without a word. A request
        without a body that says `Expect: 100-continue` would wait for that body until its time is up.
        """
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError(f"Bad URI: {error}") from error
        request: Any = self  # the stubs do not know these two
        if request.body_rcv is None:
            request.expect_continue = False
