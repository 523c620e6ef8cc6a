"""Real streams of the embedded engine, each message held against the API's own description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.daemon_process import DaemonProcess
from tests.described_streams import check_stream
from tests.engine_process import EngineProcess

LIMIT_S = 120
ASK = "Say hello."
TURNS = [{"role": "user", "content": ASK}]
USAGE = {"stream_options": {"include_usage": True}}
LOGPROBS = {"logprobs": True, "top_logprobs": 2}
ASKED = {
    "generate": ("/llm/generate", {"prompt": ASK, "params": {"max_tokens": 6}}),
    "ollama-chat": ("/api/chat", {"messages": TURNS, "options": {"num_predict": 6}, **LOGPROBS}),
    "ollama-generate": ("/api/generate", {"prompt": ASK, "options": {"num_predict": 6}, **LOGPROBS}),
    "chat": ("/v1/chat/completions", {"messages": TURNS, "max_tokens": 6}),
    "chat-all": ("/v1/chat/completions", {"messages": TURNS, "max_tokens": 6, **USAGE, **LOGPROBS}),
    "completion": ("/v1/completions", {"prompt": ASK, "max_tokens": 6}),
    "completion-all": ("/v1/completions", {"prompt": ASK, "max_tokens": 6, "logprobs": 2, **USAGE}),
    "response": ("/v1/responses", {"input": ASK, "max_output_tokens": 16}),
    "response-all": ("/v1/responses", {"input": ASK, "max_output_tokens": 16, "top_logprobs": 2}),
}
# So that the failures that are wanted do not open the model's breaker.
PATIENT = {"routing": {"breaker_failures": 1000}}
# Each route once; the engine breaks off where it finds the word.
FAILING = {
    "/llm/generate": {"prompt": "FAIL"},
    "/api/chat": {"messages": [{"role": "user", "content": "FAIL"}]},
    "/api/generate": {"prompt": "FAIL"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "FAIL"}]},
    "/v1/completions": {"prompt": "FAIL"},
    "/v1/responses": {"input": "FAIL"},
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    fault = {"IA0_ENGINE_FAULT_ERROR_AFTER_TOKENS": "1;when=FAIL"}
    with (
        EngineProcess(tmp_path_factory.mktemp("engine"), env=fault) as engine,
        DaemonProcess(tmp_path_factory.mktemp("daemon"), engine.url, PATIENT) as running,
    ):
        yield running


def asked(daemon: DaemonProcess, path: str, body: dict[str, object], accept: str = "*/*") -> list[Any]:
    """Ask for a stream and read it to its end; its messages, each of which is described."""
    whole = {**body, "stream": True}
    answer = requests.post(f"{daemon.url}{path}", json=whole, headers={"Accept": accept}, timeout=LIMIT_S)
    assert answer.status_code == 200, answer.text
    return check_stream(path, answer.headers["Content-Type"], answer.content.decode())


@pytest.mark.parametrize("name", ASKED)
def test_every_message_of_a_stream_is_described(daemon: DaemonProcess, name: str) -> None:
    path, body = ASKED[name]
    messages = asked(daemon, path, dict(body))
    assert len(messages) >= 2  # what came of the engine in one read may be one message
    assert "error" not in messages[-1]


def test_the_events_of_the_daemons_own_route_are_described(daemon: DaemonProcess) -> None:
    assert len(asked(daemon, *ASKED["generate"], accept="text/event-stream")) >= 2


@pytest.mark.parametrize("path", FAILING)
def test_an_error_in_mid_stream_is_described(daemon: DaemonProcess, path: str) -> None:
    assert "error" in asked(daemon, path, {**FAILING[path], "resume": False})[-1]
