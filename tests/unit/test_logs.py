"""What a log line says, and that lines do not mix."""

from __future__ import annotations

import io
import json
import logging
import os
import select
import threading
from collections.abc import Iterator

import pytest
from pythonjsonlogger.msgspec import MsgspecFormatter

from ia0_daemon.logs import _Formatter, _Handler


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("ia0.x", logging.WARNING, "file", 1, "hello %s", ("world",), None)
    made.__dict__.update(extra)
    return made


@pytest.fixture
def pipe() -> Iterator[tuple[int, logging.Handler]]:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        handler = _Handler(stream)
        handler.setFormatter(_Formatter())
        yield reader, handler
    os.close(reader)


def test_a_line_says_when_how_bad_who_and_what() -> None:
    made = record(event="e", model="m")
    made.created, made.msecs = 1_767_225_600.25, 250.0
    assert json.loads(_Formatter().format(made)) == {
        "timestamp": "2026-01-01T00:00:00.250Z",
        "level": "WARNING",
        "logger": "ia0.x",
        "message": "hello world",
        "event": "e",
        "model": "m",
    }


@pytest.mark.parametrize("extra", [{}, {"number": 1, "text": 'ü\n"', "list": [1, {"a": None}]}])
def test_the_short_way_writes_the_line_of_the_long_one(extra: dict[str, object]) -> None:
    made = record(**extra)
    assert _Formatter().format(made) == MsgspecFormatter.format(_Formatter(), made)


def test_a_traceback_is_in_the_line() -> None:
    made = record()
    made.exc_info = (ValueError, ValueError("wrong"), None)
    line = json.loads(_Formatter().format(made))
    assert (line["message"], "ValueError: wrong" in line["exc_info"]) == ("hello world", True)


def test_what_json_does_not_know_is_written_as_a_text() -> None:
    assert json.loads(_Formatter().format(record(what=object)))["what"] == "<class 'object'>"


def test_long_lines_of_many_threads_do_not_mix(pipe: tuple[int, logging.Handler]) -> None:
    reader, handler = pipe
    text = "x" * (3 * select.PIPE_BUF)

    def write() -> None:
        for _ in range(20):
            handler.handle(record(text=text))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    with os.fdopen(os.dup(reader)) as lines:
        read = [json.loads(lines.readline())["text"] for _ in range(80)]
    assert read == [text] * 80
    for thread in threads:
        thread.join()


def test_half_a_character_does_not_lose_the_line(pipe: tuple[int, logging.Handler]) -> None:
    reader, handler = pipe
    handler.handle(record(path="\udcff"))
    assert b"hello world" in os.read(reader, 4096)


def test_a_handler_needs_a_descriptor() -> None:
    with pytest.raises(io.UnsupportedOperation):
        _Handler(io.StringIO())
