"""Cuts on real connections: the caller sees one whole answer, or an error that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ia0_daemon.engine.prefill import PREFILL
from tests.chaos.clients import PLAIN, STREAM, Outcome
from tests.chaos.seams import bad_seams
from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess, free_port
from tests.integration.gateway.conftest import ask, send_and_leave_open
from tests.scripted_engine import Reply, ScriptedEngine, Step, cut, piece, say, status, whole

TEXT = "one, two, three"
KILLED = {"error": "an error was encountered while running the model: unexpected EOF"}
STOPPED = "model runner has unexpectedly stopped, this may be due to resource limitations"
FULL = '{"error":{"code":400,"type":"exceed_context_size_error","n_prompt_tokens":513,"n_ctx":512}}'
GONE = 'model "smollm2:135m" not found, try pulling it first'
MAX_RESUMES = 2
HALF: list[Step] = [say(piece("one,"), piece(" tw")), cut]
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


@dataclass
class Writer(ScriptedEngine):
    """Plays what is in `first`, and then always writes one text, or the rest of it behind a prefill."""

    first: list[list[Step]] = field(default_factory=list)

    def next_script(self, body: dict[str, Any]) -> list[Step]:
        last = body["messages"][-1]
        if last["content"] == PREFILL:
            return whole(" cook")
        if self.first:
            return self.first.pop(0)
        written = last["content"] if last["role"] == "assistant" else ""
        assert TEXT.startswith(written)
        return whole(TEXT[len(written) :])


@pytest.fixture(scope="module")
def shared() -> Iterator[Writer]:
    engine = Writer()
    with engine:
        yield engine


@pytest.fixture(scope="module")
def carrier(shared: Writer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    # One test's wanted failures must not open the breaker for the next one.
    sections = {"restart": {"max_resumes": MAX_RESUMES}, "routing": {"breaker_failures": 1000}}
    with DaemonProcess(tmp_path_factory.mktemp("carrier"), shared.url, sections) as daemon:
        yield daemon


@pytest.fixture
def writer(shared: Writer) -> Writer:
    shared.first = []
    shared.received.clear()
    return shared


def get(daemon: DaemonProcess, *, streamed: bool, **more: object) -> tuple[int, list[dict[str, Any]]]:
    with ask(daemon, {"prompt": "Count.", "stream": streamed} | more) as response:
        return response.status, [json.loads(line) for line in response]


def text(lines: list[dict[str, Any]]) -> str:
    return "".join(line["text"] for line in lines)


def half_a_line(reply: Reply) -> None:
    reply.send(json.dumps(piece("never seen")).encode()[:20])


@pytest.mark.parametrize(
    "script",
    [
        [half_a_line, cut],
        [status(500, STOPPED)],
        HALF,
        [say(piece("one,")), half_a_line, cut],
        [say(piece("one,"), KILLED)],
    ],
    ids=["headers", "status", "text", "half a line", "error line"],
)
@BOTH
def test_a_cut_ends_in_one_whole_answer(
    carrier: DaemonProcess, writer: Writer, script: list[Step], streamed: bool
) -> None:
    writer.first = [script]
    code, lines = get(carrier, streamed=streamed)
    assert (code, text(lines)) == (200, TEXT)
    line = carrier.wait_for_log(request_id=lines[-1]["request_id"])
    assert line["code"] == "OK"
    assert line.get("resumed") == lines[-1].get("resumed")
    assert line.get("resumed", 0) + line.get("asked_again", 0) == 1


@BOTH
def test_a_connection_that_ends_without_an_answer_is_no_answer(
    carrier: DaemonProcess, writer: Writer, streamed: bool
) -> None:
    """A kept connection is replaced without a word: it may have been closed long before."""
    writer.first = [[cut]]
    code, lines = get(carrier, streamed=streamed)
    assert (code, text(lines)) == (200, TEXT)


def test_a_stream_is_cut_again_and_again_and_goes_on(carrier: DaemonProcess, writer: Writer) -> None:
    writer.first = [[say(piece("one,")), cut], [say(piece(" two,")), cut]]
    _, lines = get(carrier, streamed=True, params={"max_tokens": 10})
    assert text(lines) == TEXT
    assert (lines[-1]["resumed"], lines[-1]["resumed_at"]) == (2, [4, 9])
    asked = [body for body in writer.asked() if body["messages"][0]["content"] == "Count."]
    assert [body["options"]["num_predict"] for body in asked] == [10, 9, 8]


@BOTH
def test_a_prompt_that_kills_the_engine_each_time_is_not_asked_for_ever(
    carrier: DaemonProcess, writer: Writer, streamed: bool
) -> None:
    writer.first = [[status(500, STOPPED)] for _ in range(20)]
    code, lines = get(carrier, streamed=streamed)
    assert (code, lines[-1]["code"]) == (502, "ENGINE_ERROR")
    assert len(writer.asked()) == MAX_RESUMES + 1


def test_a_stream_that_is_not_to_go_on_ends_with_an_error_line(
    carrier: DaemonProcess, writer: Writer
) -> None:
    writer.first = [HALF]
    code, lines = get(carrier, streamed=True, resume=False)
    assert (code, lines[-1]["code"], lines[-1]["done"]) == (200, "ENGINE_ERROR", True)


@BOTH
def test_an_error_of_the_engine_after_the_cut_is_told(
    carrier: DaemonProcess, writer: Writer, streamed: bool
) -> None:
    writer.first = [HALF, [status(404, GONE)]]
    code, lines = get(carrier, streamed=streamed)
    assert (code, lines[-1]["code"]) == (200 if streamed else 503, "MODEL_UNAVAILABLE")


def test_a_context_that_is_full_of_what_was_written_ends_the_stream(
    carrier: DaemonProcess, writer: Writer
) -> None:
    writer.first = [HALF, [status(400, FULL)]]
    _, lines = get(carrier, streamed=True)
    assert (text(lines), lines[-1]["finish_reason"], lines[-1]["completion_tokens"]) == (
        "one, tw",
        "length",
        2,
    )


def test_a_request_waits_for_an_engine_that_is_not_there_yet(tmp_path: Path) -> None:
    """It was asked, and is gone with the question: so it is sure that the request has met nobody."""
    port = free_port()
    with DaemonProcess(tmp_path, f"http://127.0.0.1:{port}") as daemon, ExitStack() as later:
        with Writer(port=port, first=[[half_a_line, cut]]) as gone:
            caller = later.enter_context(send_and_leave_open(daemon, {"prompt": "Count."}))
            daemon.wait_for(lambda: not gone.first)
        later.enter_context(Writer(port=port))
        assert b" 200 " in caller.makefile("rb").readline()
        line = daemon.wait_for_log(code="OK", route="/llm/generate")
        assert line["asked_again"] == 1
        assert line["daemon_ms"] < line["latency_ms"] / 2, "the wait is the engine's time"


@BOTH
def test_a_caller_who_leaves_while_there_is_no_engine_is_noticed(tmp_path: Path, streamed: bool) -> None:
    with DaemonProcess(tmp_path, f"http://127.0.0.1:{free_port()}") as daemon:
        with send_and_leave_open(daemon, {"prompt": "Count.", "stream": streamed}):
            daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 1)
        daemon.wait_for_log(code="CALLER_GONE")
        assert daemon.metric("ia0_in_flight") == 0


@BOTH
def test_a_real_model_is_cut_and_its_answer_is_whole(tmp_path: Path, streamed: bool) -> None:
    """The first answer dies behind its fifth token; the second is uncut: the first is held against it."""
    body = {
        "prompt": "Tell me about the sea.",
        "params": {"temperature": 0, "max_tokens": 40},
        "cache": False,
    }
    with (
        EngineProcess(tmp_path, env={"IA0_ENGINE_FAULT_DIE_AFTER_TOKENS": "5;first=1"}) as engine,
        DaemonProcess(tmp_path, engine.url) as daemon,
    ):
        (_, broken), (_, uncut) = (get(daemon, streamed=streamed, **body) for _ in range(2))
        line = daemon.wait_for_log(request_id=broken[-1]["request_id"])
    for lines in (broken, uncut):
        assert lines[-1]["completion_tokens"] == 40
        assert lines[-1]["finish_reason"] == "length"
        assert lines[-1]["prompt_tokens"] == uncut[-1]["prompt_tokens"]
    kind = STREAM if streamed else PLAIN
    outcomes = [Outcome(kind, "id", "", "answered", text(lines), lines[-1]) for lines in (broken, uncut)]
    assert bad_seams(outcomes) == []
    assert (line.get("resumed", 0), line.get("asked_again", 0)) == ((1, 0) if streamed else (0, 1))
    if streamed:
        (at,) = broken[-1]["resumed_at"]
        assert text(uncut).startswith(text(broken)[:at])
        assert text(broken)[at : at + 20] not in (text(uncut)[:20], text(uncut).lstrip()[:20]), (
            "it began anew"
        )
        assert text(broken)[at:].strip()
