"""What a chat may ask for, what the engine is asked then, and how the answer reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.errors import EngineError
from ia0_daemon.settings.schema import Limits
from tests.fakes import DONE, MODEL, FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Reconfigure

Chat = Callable[..., TestResponse]
HELLO = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "weather"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
CALLED = ChatLine(
    message=Delta(tool_calls=[{"function": {"name": "weather", "arguments": {"city": "Rome"}}}])
)


@pytest.fixture
def chat(http: FlaskClient) -> Chat:
    """Ask with these fields beside a greeting; the answer is read to its end."""

    def ask(**fields: object) -> TestResponse:
        return http.post("/v1/chat/completions", json={"messages": HELLO, **fields}, buffered=True)

    return ask


def events(response: TestResponse) -> list[Any]:
    """The stream's messages; its end as a text."""
    datas = [event.removeprefix("data: ") for event in response.text.split("\n\n") if event]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def refused(response: TestResponse) -> Any:
    """The error, which must be a refusal in OpenAI's shape."""
    assert response.status_code == 400, response.text
    error = response.json["error"]
    assert error["type"] == "invalid_request_error"
    return error


def test_options_go_to_the_engine_under_its_names(chat: Chat, engine: FakeClient) -> None:
    chat(
        temperature=0.5, top_p=0.9, seed=3, stop="end", presence_penalty=1, frequency_penalty=-1, max_tokens=9
    )
    assert engine.asked[0].options == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["end"],
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "num_predict": 9,
    }
    assert engine.asked[0].fields == {}


def test_what_is_left_out_or_null_is_the_models_own(chat: Chat, engine: FakeClient) -> None:
    chat(temperature=None, top_p=None, seed=None, stop=None, max_tokens=None)
    assert engine.asked[0].options == {"num_predict": Limits().max_tokens}


def test_an_answer_reads_as_openais(chat: Chat) -> None:
    body = chat(model=MODEL.name).json
    assert body["object"] == "chat.completion"
    (choice,) = body["choices"]
    assert choice["message"] == {"content": "Hello world", "role": "assistant", "refusal": None}
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_a_stream_has_a_chunk_for_each_line_of_the_engine(chat: Chat) -> None:
    first, hello, world, last, done = events(chat(stream=True))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert hello["choices"][0]["delta"] == {"content": "Hello"}
    assert world["choices"][0]["delta"] == {"content": " world"}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert done == "[DONE]"


def test_the_first_text_is_not_kept_waiting_behind_a_write_of_its_own(chat: Chat, http: FlaskClient) -> None:
    response = http.post("/v1/chat/completions", json={"messages": HELLO, "stream": True})
    first = next(iter(response.iter_encoded()))
    assert first.count(b"data: ") == 2
    response.close()


def test_usage_comes_last_where_it_is_asked_for(chat: Chat) -> None:
    *chunks, last, _ = events(chat(stream=True, stream_options={"include_usage": True}))
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 10)
    assert all(chunk["usage"] is None for chunk in chunks)


def test_an_empty_answer_streams_a_role_and_an_end(chat: Chat, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([])
    first, last, done = events(chat(stream=True))
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert (last["choices"][0]["finish_reason"], done) == ("stop", "[DONE]")


@pytest.mark.parametrize("text", ['"\\\n\t\x00\x1f', "ção 漢字 😀", "</script> data: x\n\n"])
def test_any_text_comes_through_a_stream_as_it_is(chat: Chat, engine: FakeClient, text: str) -> None:
    engine.answer_ = FakeAnswer([text])
    assert events(chat(stream=True))[1]["choices"][0]["delta"]["content"] == text


def test_an_error_in_mid_stream_is_an_event_and_no_end_follows(chat: Chat, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hello", EngineError("it broke")])
    *_, last = events(chat(stream=True, resume=False))
    assert (last["error"]["message"], last["error"]["code"]) == ("it broke", "engine_error")


@pytest.mark.parametrize("stream", [False, True])
def test_calls_are_numbered_and_their_arguments_are_texts(
    chat: Chat, engine: FakeClient, stream: bool
) -> None:
    engine.answer_ = FakeAnswer([CALLED, CALLED])
    response = chat(stream=stream, tools=[TOOL])
    if stream:
        chunks = [event["choices"][0] for event in events(response)[:-1]]
        calls = [call for chunk in chunks for call in chunk["delta"].get("tool_calls", [])]
        assert [call["index"] for call in calls] == [0, 1]
        assert chunks[-1]["finish_reason"] == "tool_calls"
    else:
        (choice,) = response.json["choices"]
        calls = choice["message"]["tool_calls"]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": "Rome"}] * 2
    assert calls[0]["id"] != calls[1]["id"]


def test_a_call_with_the_bound_reached_is_cut(chat: Chat, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([CALLED], end=ChatLine(done=True, done_reason="length"))
    assert chat(tools=[TOOL]).json["choices"][0]["finish_reason"] == "length"


def test_the_engine_is_told_of_tools_unless_none_may_be_called(chat: Chat, engine: FakeClient) -> None:
    chat(tools=[TOOL], tool_choice="auto")
    chat(tools=[TOOL], tool_choice="none")
    function = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    assert engine.asked[0].fields == {"tools": [{"type": "function", "function": function}]}
    assert engine.asked[1].fields == {}


@pytest.mark.parametrize(
    ("wanted", "format_"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json"),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
            {"type": "object"},
        ),
    ],
)
def test_a_form_becomes_the_engines_format(
    chat: Chat, engine: FakeClient, wanted: object, format_: object
) -> None:
    chat(response_format=wanted)
    assert engine.asked[0].fields.get("format") == format_


@pytest.mark.parametrize(
    ("effort", "think"), [("none", False), ("minimal", "low"), ("high", "high"), ("xhigh", "max")]
)
def test_an_effort_becomes_the_engines_think(
    chat: Chat, engine: FakeClient, effort: str, think: object
) -> None:
    chat(reasoning_effort=effort)
    assert engine.asked[0].fields == {"think": think}


@pytest.mark.parametrize(
    "fields",
    [{"tools": [TOOL]}, {"response_format": {"type": "json_object"}}, {"logprobs": True}, {"resume": False}],
)
def test_only_a_plain_text_goes_on_after_a_cut(
    chat: Chat, engine: FakeClient, fields: dict[str, Any]
) -> None:
    chat()
    chat(**fields)
    assert [question.may_resume for question in engine.asked] == [True, False]


def test_a_conversation_with_tools_is_the_engines(http: FlaskClient, engine: FakeClient) -> None:
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "Rome?"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "audio": None},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    assert http.post("/v1/chat/completions", json={"messages": messages}).status_code == 200
    system, user, assistant, tool = engine.asked[0].messages
    assert (system.role, system.content, user.content) == ("system", "Be short.", "And\nRome?")
    function = {"name": "weather", "arguments": {"city": "Rome"}}
    assert assistant.tool_calls == [{"id": "call_1", "function": function}]
    assert (tool.content, tool.tool_name, tool.tool_call_id) == ("sunny", "weather", "call_1")


def test_logprobs_are_told_as_openai_tells_them(chat: Chat, engine: FakeClient) -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    engine.answer_ = FakeAnswer([ChatLine(message=Delta("Hi"), logprobs=[token])])
    told = chat(logprobs=True).json["choices"][0]["logprobs"]
    assert told == {"content": [{"top_logprobs": [], **token}], "refusal": None}
    assert engine.asked[0].fields == {"logprobs": True, "top_logprobs": 0}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("logit_bias", {"50256": -100}),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("functions", [{"name": "weather"}]),
        ("function_call", {"name": "weather"}),
        ("tool_choice", "required"),
        ("tool_choice", {"type": "function", "function": {"name": "weather"}}),
        ("web_search_options", {}),
        ("verbosity", "low"),
        ("store", True),
        ("top_logprobs", 3),
        ("top_logprobs", 21),
        ("reasoning_effort", "enormous"),
        ("response_format", {"type": "json_schema"}),
        ("temperature", 2.1),
        ("seed", -1),
        ("max_tokens", 0),
        ("max_tokens", 10_000),
        ("max_completion_tokens", 10_000),
        ("top_k", 3),
        ("messages", []),
        ("messages", [{"role": "function", "content": "x"}]),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    chat: Chat, engine: FakeClient, field: str, value: object
) -> None:
    error = refused(chat(**{field: value}))
    assert error["param"].startswith(field)
    assert error["message"].startswith(field)
    assert engine.asked == []


def test_tools_cannot_be_held_to_one_call(chat: Chat) -> None:
    assert refused(chat(tools=[TOOL], parallel_tool_calls=False))["param"] == "parallel_tool_calls"


def test_two_bounds_that_differ_are_refused(chat: Chat) -> None:
    assert refused(chat(max_tokens=3, max_completion_tokens=4))["param"] == "max_tokens"


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"role": "user"}, "messages[0].content"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0].type"),
        (
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a"}}],
            },
            "messages[0].content[0].image_url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,a"}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "[1]"}}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"role": "assistant", "content": "", "audio": {"id": "a"}}, "messages[0].audio"),
    ],
)
def test_a_wrong_message_is_named_by_its_place(http: FlaskClient, message: object, place: str) -> None:
    error = refused(http.post("/v1/chat/completions", json={"messages": [message]}))
    assert error["param"] == place


def test_labels_are_taken_without_effect(chat: Chat, engine: FakeClient) -> None:
    labels = {
        "user": "a",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "auto",
        "parallel_tool_calls": True,
        "safety_identifier": "x",
        "prompt_cache_key": "y",
        "prediction": {"type": "content", "content": "x"},
        "n": 1,
        "logit_bias": {},
        "modalities": ["text"],
    }
    assert chat(**labels).status_code == 200
    chat()
    assert engine.asked[0].fields == engine.asked[1].fields == {}
    assert engine.asked[0].options == engine.asked[1].options


def test_a_prompt_that_is_too_long_is_refused(chat: Chat, reconfigure: Reconfigure) -> None:
    reconfigure(limits=Limits(max_prompt_chars=1))
    assert refused(chat())["details"]["setting"] == "limits.max_prompt_chars"


def test_thinking_stands_beside_the_text(chat: Chat, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([ChatLine(message=Delta(thinking="Hm.")), "Yes."], end=DONE)
    assert chat().json["choices"][0]["message"]["reasoning"] == "Hm."
    engine.answer_ = FakeAnswer([ChatLine(message=Delta(thinking="Hm.")), "Yes."], end=DONE)
    assert events(chat(stream=True))[1]["choices"][0]["delta"] == {"reasoning": "Hm."}


def test_a_kept_answer_and_its_route_are_noted(chat: Chat, engine: FakeClient) -> None:
    wanted = {"seed": 1, "cache": True, "model": "qwen2-7b"}
    assert chat(**wanted).json["ia0"] == {"route": "named"}
    assert chat(**wanted).json["ia0"] == {"route": "named", "cached": True}
    assert len(engine.asked) == 1
