"""Holds the messages of a stream against what the API's description says of them.

    check_stream(path, response.headers["Content-Type"], response.text)

Every object is closed for this: a field that the description does not name is a fault, too.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema

from ia0_daemon.gateway.openapi import document
from ia0_daemon.gateway.routes import OPERATIONS
from ia0_daemon.gateway.wanted import SSE


def check_stream(path: str, content_type: str, text: str) -> list[Any]:
    """Hold every message against its schema, and the end against the one that is told; give the messages."""
    media = content_type.partition(";")[0]
    schema = _closed()["paths"][path]["post"]["responses"]["200"]["content"][media]["schema"]
    written = _events(text) if media == SSE else text.splitlines()
    found, end = (written[:-1], written[-1]) if written[-1].startswith("[") else (written, "")
    messages = [json.loads(each) for each in found]
    whole = {**schema["x-message"], "components": _closed()["components"]}
    validator = jsonschema.Draft202012Validator(whole)
    faults = [fault for each in messages for fault in validator.iter_errors(each)]
    assert not faults, [
        (fault.instance, [inner.message for inner in fault.context or ()]) for fault in faults
    ]
    failed = "error" in messages[-1]
    assert (f"`{end}`" in schema["description"]) if end else failed or "`[" not in schema["description"]
    return messages


def _events(text: str) -> list[str]:
    """Give the data of each event; the name that may stand before it is its type, or says that it failed."""
    found = []
    for event in text.removesuffix("\n\n").split("\n\n"):
        *names, data = event.split("\n")
        found.append(data.removeprefix("data: "))
        assert data.startswith("data: ")
        for name in names:
            kind = json.loads(found[-1]).get("type", "error")
            assert name == f"event: {kind}"
    return found


@cache
def _closed() -> dict[str, Any]:
    said = document(OPERATIONS)
    for schema in said["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return said
