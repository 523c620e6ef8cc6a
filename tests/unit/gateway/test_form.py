"""An answer that is to be JSON begins as JSON of that kind does."""

from __future__ import annotations

from typing import Any

import pytest

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.form import check_form


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (None, "Hello"),
        ("", "Hello"),
        ("json", ' {"a": 1}'),
        ({"type": "object"}, "\n"),
        ({"type": "object"}, ""),
        ({"type": "array"}, "[{}]"),
        ({"type": "string"}, '"Hello"'),
        ({"type": "integer"}, "-3"),
        ({"type": "number"}, "0.5"),
        ({"type": "boolean"}, "fal"),
        ({"type": "boolean"}, "true\n"),
        ({"type": "null"}, "null"),
        ({"type": ["string", "null"]}, "nu"),
        ({"enum": [1, "a"]}, '"a"'),
        ({"type": "unheard of"}, "{"),
    ],
)
def test_what_begins_as_it_should_is_taken(form: Any, text: str) -> None:
    check_form(form, text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", "Hello"),
        ("json", '"Hello"'),
        ({"type": "object"}, "```json"),
        ({"type": "boolean"}, "the"),
        ({"$ref": "#/$defs/X"}, "Hello"),
        ({"type": ["string", "null"]}, "no"),
    ],
)
def test_what_begins_otherwise_is_the_schemas_fault(form: Any, text: str) -> None:
    with pytest.raises(InvalidRequest, match="hold the answer to the form"):
        check_form(form, text)
