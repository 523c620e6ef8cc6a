"""The openai package asks for chats and completions, and finds what it finds at OpenAI."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from openai import APIError, OpenAI
from pydantic import BaseModel

from tests.integration.clients.conftest import NAME, calls
from tests.scripted_engine import DONE, ScriptedEngine, piece, say

HELLO: Any = [{"role": "user", "content": "Say hello."}]
SHORT: Any = {"model": NAME, "messages": HELLO, "max_tokens": 12, "seed": 7}
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


class City(BaseModel):
    name: str
    is_capital: bool


def test_a_chat_has_text_usage_and_identity(client: OpenAI) -> None:
    found = client.chat.completions.create(**SHORT)
    choice, usage = found.choices[0], found.usage
    assert found.id.startswith("chatcmpl-")
    assert (found.object, found.model, choice.message.role) == ("chat.completion", NAME, "assistant")
    assert choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert found.system_fingerprint
    assert usage is not None
    assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
    assert 1 <= usage.completion_tokens <= 12


def test_a_stream_brings_the_same_text_and_its_usage_last(client: OpenAI) -> None:
    whole = client.chat.completions.create(**SHORT, extra_body={"cache": False})
    stream = client.chat.completions.create(
        **SHORT, stream=True, stream_options={"include_usage": True}, extra_body={"cache": False}
    )
    *chunks, end, last = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert end.choices[0].finish_reason == whole.choices[0].finish_reason
    assert (last.choices, last.usage) == ([], whole.usage)
    assert {chunk.id for chunk in [*chunks, end, last]} == {last.id}
    assert all(chunk.usage is None for chunk in [*chunks, end])


def test_the_same_seed_gives_the_same_text(client: OpenAI) -> None:
    wanted = {**SHORT, "temperature": 1.5, "extra_body": {"cache": False}}
    first, second = (client.chat.completions.create(**wanted) for _ in range(2))
    assert first.choices[0].message.content == second.choices[0].message.content


def test_a_kept_answer_says_so(client: OpenAI) -> None:
    wanted = {**SHORT, "seed": 11}
    first = client.chat.completions.create(**wanted)
    raw = client.chat.completions.with_raw_response.create(**wanted)
    assert raw.headers["X-IA0-Cached"] == "true"
    assert raw.parse().choices == first.choices


def test_a_stop_ends_the_text(client: OpenAI) -> None:
    text = client.chat.completions.create(**SHORT).choices[0].message.content or ""
    stop = text.split()[1]
    found = client.chat.completions.create(**SHORT, stop=[stop]).choices[0]
    assert stop not in (found.message.content or "")
    assert found.finish_reason == "stop"


def test_the_bound_of_tokens_holds_under_both_names(client: OpenAI) -> None:
    asked: Any = {"model": NAME, "messages": [{"role": "user", "content": "Count to a hundred."}]}
    for bound in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        found = client.chat.completions.create(**asked, **bound)
        assert found.choices[0].finish_reason == "length"
        assert found.usage is not None
        assert found.usage.completion_tokens == 3


def test_a_schema_is_held(client: OpenAI) -> None:
    found = client.chat.completions.parse(
        model=NAME,
        messages=[{"role": "user", "content": "Tell of Paris as JSON."}],
        response_format=City,
        max_tokens=100,
        temperature=0,
    )
    assert isinstance(found.choices[0].message.parsed, City)


def test_an_object_is_json(client: OpenAI) -> None:
    found = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": 'Answer with JSON like {"a": 1}.'}],
        response_format={"type": "json_object"},
        max_tokens=100,
        temperature=0,
    )
    assert isinstance(json.loads(found.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_are_told_for_each_token(client: OpenAI, stream: bool) -> None:
    wanted = {**SHORT, "logprobs": True, "top_logprobs": 2, "max_tokens": 4, "stream": stream}
    found = client.chat.completions.create(**wanted)
    choices = [chunk.choices[0] for chunk in (found if stream else [found])]
    tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content or []]
    assert 1 <= len(tokens) <= 4
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)


def test_parts_and_every_role_are_taken(client: OpenAI) -> None:
    found = client.chat.completions.create(
        model=NAME,
        max_tokens=3,
        messages=[
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Again."},
        ],
    )
    assert found.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_calls_of_tools_come_back(scripted_client: OpenAI, scripted: ScriptedEngine, stream: bool) -> None:
    scripted.scripts = [[say(calls("weather", city="Paris")), say(DONE)]]
    wanted: Any = {"model": NAME, "messages": HELLO, "tools": TOOLS, "stream": stream}
    found = scripted_client.chat.completions.create(**wanted)
    if stream:
        *chunks, last = list(found)
        (call,) = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        assert call.index == 0
    else:
        last = found
        (call,) = found.choices[0].message.tool_calls or []
    assert last.choices[0].finish_reason == "tool_calls"
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == (
        "function",
        "weather",
        {"city": "Paris"},
    )
    assert call.id.startswith("call_")
    assert scripted.asked()[0]["tools"][0]["function"]["name"] == "weather"


def test_the_package_gathers_calls_from_a_stream(scripted_client: OpenAI, scripted: ScriptedEngine) -> None:
    scripted.scripts = [[say(piece("Let me see.")), say(calls("weather", "weather", city="Rome")), say(DONE)]]
    with scripted_client.chat.completions.stream(model=NAME, messages=HELLO, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Let me see."
    assert [call.function.name for call in message.tool_calls or []] == ["weather", "weather"]


def test_a_tools_result_goes_back_with_its_call(scripted_client: OpenAI, scripted: ScriptedEngine) -> None:
    scripted.scripts = [[say(calls("weather", city="Paris")), say(DONE)], [say(piece("Sunny.")), say(DONE)]]
    messages = list(HELLO)
    asked = scripted_client.chat.completions.create(model=NAME, messages=messages, tools=TOOLS)
    message = asked.choices[0].message
    assert message.tool_calls
    messages += [
        message,
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": '{"sky": "blue"}'},
    ]
    again = scripted_client.chat.completions.create(model=NAME, messages=messages, tools=TOOLS)
    assert again.choices[0].message.content == "Sunny."
    call, result = scripted.asked()[1]["messages"][1:]
    assert call["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Paris"}}
    assert (result["role"], result["tool_name"]) == ("tool", "weather")


def test_an_image_goes_to_the_engine(scripted_client: OpenAI, scripted: ScriptedEngine) -> None:
    data = base64.b64encode(b"not really a picture").decode()
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    scripted_client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": content}])
    (message,) = scripted.asked()[0]["messages"]
    assert (message["content"], message["images"]) == ("What is this?", [data])


def test_thinking_is_asked_for_and_told(scripted_client: OpenAI, scripted: ScriptedEngine) -> None:
    thought = {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False}
    scripted.scripts = [[say(thought), say(piece("Yes.")), say(DONE)]]
    found = scripted_client.chat.completions.create(model=NAME, messages=HELLO, reasoning_effort="minimal")
    assert found.choices[0].message.content == "Yes."
    assert (found.choices[0].message.model_extra or {})["reasoning"] == "Hm."
    assert scripted.asked()[0]["think"] == "low"


def test_an_error_in_a_stream_is_raised(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": "FAIL now."}], stream=True, max_tokens=30
    )
    with pytest.raises(APIError) as caught:
        list(stream)
    assert caught.value.code == "engine_error"


def test_a_completion_is_told_whole_and_in_pieces(client: OpenAI) -> None:
    wanted: Any = {"model": NAME, "prompt": "The capital of France is", "max_tokens": 8, "seed": 3}
    whole = client.completions.create(**wanted, extra_body={"cache": False})
    assert whole.id.startswith("cmpl-")
    assert whole.object == "text_completion"
    assert whole.usage is not None
    stream = client.completions.create(**wanted, stream=True, extra_body={"cache": False})
    assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text


def test_a_completions_logprobs_run_beside_its_tokens(client: OpenAI) -> None:
    found = client.completions.create(model=NAME, prompt=["One two"], max_tokens=3, logprobs=1)
    told = found.choices[0].logprobs
    assert told is not None
    assert told.tokens
    assert told.text_offset is not None
    assert told.text_offset[0] == 0
    assert len(told.tokens) == len(told.token_logprobs or []) == len(told.text_offset)


def test_a_gap_is_filled_on_the_engines_generate_path(
    scripted_client: OpenAI, scripted: ScriptedEngine
) -> None:
    scripted.scripts = [[say({"response": "return 1", "done": False}), say({**DONE, "response": ""})]]
    found = scripted_client.completions.create(model=NAME, prompt="def one():", suffix="\n", stream=False)
    assert found.choices[0].text == "return 1"
    asked = scripted.asked()[0]
    assert (asked["prompt"], asked["suffix"], "messages" in asked) == ("def one():", "\n", False)
