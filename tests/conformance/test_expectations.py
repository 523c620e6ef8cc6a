"""Asks each of the recorded expectations (expectations.toml)."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.client import Answer
from tests.conformance.target import Target

KINDS: dict[str, Any] = {"text": str, "number": int, "list": list, "object": dict, "bool": bool, "time": str}


def _read() -> list[Any]:
    table = Path(__file__).with_name("expectations.toml").read_text(encoding="utf-8")
    return [
        pytest.param(expect, id=_name(expect["request"], number), marks=_marks(expect))
        for number, expect in enumerate(tomllib.loads(table)["expect"], start=1)
    ]


def _name(request: dict[str, Any], number: int) -> str:
    return f"{number}-{request['method']}-{request['path'].partition('/sha256')[0]}"


def _marks(expect: dict[str, Any]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.sentence(*expect["sentence"]), pytest.mark.needs(*expect.get("needs", []))]


@pytest.mark.parametrize("expect", _read())
def test_the_answer_is_as_recorded(engine: Target, expect: dict[str, Any]) -> None:
    expect = json.loads(json.dumps(expect).replace("{model}", engine.model))
    answer = _ask(engine, expect["request"])
    assert answer.status == expect["status"], answer
    _hold_body(answer, expect)
    for path, kind in expect.get("fields", {}).items():
        _hold_kind(path, _at(answer.json(), path), kind)
    for path, value in expect.get("values", {}).items():
        assert _at(answer.json(), path) == value


def _ask(engine: Target, request: dict[str, Any]) -> Answer:
    headers = {"Host": request["host"]} if "host" in request else {}
    body = request["text"].encode() if "text" in request else request.get("body")
    return engine.client.send(request["method"], request["path"], body, headers=headers)


def _hold_body(answer: Answer, expect: dict[str, Any]) -> None:
    if expect.get("empty"):
        assert answer.body == b""
    if "text" in expect:
        assert answer.body.decode() == expect["text"]
    if "error" in expect:
        assert answer.error() == expect["error"]
    if "error_like" in expect:
        assert re.search(expect["error_like"], answer.error()), answer.error()


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _hold_kind(path: str, value: Any, kind: str) -> None:
    assert isinstance(value, KINDS[kind]), f"{path} is no {kind}: {value!r}"
    if kind == "time":
        datetime.fromisoformat(value)
