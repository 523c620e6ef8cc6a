"""Every message of a stream is one that the API's description names, whatever the engine says."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.errors import EngineError
from ia0_daemon.gate import Gate
from ia0_daemon.gateway.app import api
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.routes import OPERATIONS
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.settings.schema import Settings
from tests.described_streams import check_stream
from tests.fakes import MODEL, FakeAnswer, FakeClient, FakeControl

STREAMED = [row for row in OPERATIONS if row.streams]
HI = [{"role": "user", "content": "Hi"}]
USAGE = {"stream_options": {"include_usage": True}}
ASKED: dict[str, dict[str, object]] = {
    "/llm/generate": {"prompt": "Hi"},
    "/api/chat": {"messages": HI},
    "/api/generate": {"prompt": "Hi"},
    "/v1/chat/completions": {"messages": HI, **USAGE},
    "/v1/completions": {"prompt": "Hi", **USAGE},
    "/v1/responses": {"input": "Hi"},
}
TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
CALL = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
SAID: dict[str, list[str | ChatLine | Exception]] = {
    "text": ["Hello", " world"],
    "nothing": [],
    "thinking": [ChatLine(message=Delta(thinking="Hm.")), ChatLine(message=Delta(thinking=" So.")), "Hi"],
    "calls": [ChatLine(message=Delta(tool_calls=[CALL, CALL])), ChatLine(message=Delta("And", "", [CALL]))],
    "logprobs": [ChatLine(message=Delta("Hi"), logprobs=[{**TOKEN, "top_logprobs": [TOKEN]}]), "."],
    "all at once": [ChatLine(message=Delta("Hi", "Hm.", [CALL]), logprobs=[TOKEN])],
    "an error": ["Hello", EngineError("it broke")],
    "an error while it thinks": [ChatLine(message=Delta(thinking="Hm.")), EngineError("it broke")],
}
ENDS = {
    "stop": ChatLine(done=True, done_reason="stop", prompt_eval_count=7, eval_count=3),
    "length": ChatLine(done=True, done_reason="length", prompt_eval_count=7, eval_count=512),
}


def asking(answer: FakeAnswer) -> FlaskClient:
    """A gateway whose engine says this."""
    settings = Settings(models={"small": MODEL})
    watch = EngineWatch(FakeControl(), 5)
    watch.refresh()
    live = Live.of(settings, FakeClient(answer), watch)
    return api(Service(live, Metrics(), Gate(16, 30))).test_client()


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("path", ASKED)
def test_every_message_is_one_that_is_described(path: str, said: str, end: str, accept: str) -> None:
    body = {**ASKED[path], "stream": True, "resume": False}
    http = asking(FakeAnswer(SAID[said], ENDS[end]))
    response = http.post(path, json=body, headers={"Accept": accept}, buffered=True)
    assert response.status_code == 200, response.text
    messages = check_stream(path, response.headers["Content-Type"], response.text)
    assert ("error" in messages[-1]) == ("error" in said)


@pytest.mark.parametrize("row", STREAMED, ids=lambda row: row.path)
def test_every_stream_has_its_messages_described(row: object) -> None:
    assert getattr(row, "stream_gives", ())


def test_no_stream_that_text_can_be_asked_of_is_left_out() -> None:
    assert {row.path for row in STREAMED if row.is_limited and not row.is_admin} == set(ASKED)
