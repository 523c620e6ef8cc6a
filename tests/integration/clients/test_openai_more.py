"""The openai package asks for vectors, for models and for responses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import APIError, NotFoundError, OpenAI
from pydantic import BaseModel

from tests.integration.clients.conftest import NAME, calls
from tests.scripted_engine import DONE, ScriptedEngine, piece, say

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}


class City(BaseModel):
    name: str
    is_capital: bool


def test_vectors_are_equal_in_both_encodings(client: OpenAI) -> None:
    wanted: Any = {"model": "embedder", "input": ["Good morning", "Bom dia"]}
    packed = client.embeddings.create(**wanted)
    plain = client.embeddings.create(**wanted, encoding_format="float")
    assert [each.index for each in plain.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, rel=1e-5, abs=1e-6)
    assert plain.model == "embedder"
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 0


def test_vectors_are_cut_where_it_is_asked(client: OpenAI) -> None:
    found = client.embeddings.create(model="embedder", input="Hi", dimensions=16)
    assert len(found.data[0].embedding) == 16


def test_a_text_that_is_too_long_for_a_vector_is_refused(client: OpenAI) -> None:
    with pytest.raises(APIError) as caught:
        client.embeddings.create(model="embedder", input="many words " * 400)
    assert caught.value.code == "context_length_exceeded"


def test_every_name_is_listed_and_can_be_asked_for(client: OpenAI) -> None:
    listed = list(client.models.list())
    assert [model.id for model in listed] == [NAME, "qwen2-7b", "llama3.1-8b", "embedder"]
    for model in listed:
        assert client.models.retrieve(model.id).id == model.id
        assert (model.object, model.owned_by, model.created > 0) == ("model", "ia0", True)
    with pytest.raises(NotFoundError):
        client.models.retrieve("none-such")


def test_a_response_has_text_and_usage(client: OpenAI) -> None:
    found = client.responses.create(
        model=NAME, instructions="Be short.", input="Say hello.", max_output_tokens=12, temperature=0
    )
    assert found.id.startswith("resp_")
    assert found.output_text
    assert found.status in ("completed", "incomplete")
    assert found.usage is not None
    assert found.usage.input_tokens + found.usage.output_tokens == found.usage.total_tokens


def test_a_response_that_is_cut_says_why(client: OpenAI) -> None:
    found = client.responses.create(model=NAME, input="Count to a hundred.", max_output_tokens=3)
    assert found.status == "incomplete"
    assert found.incomplete_details is not None
    assert found.incomplete_details.reason == "max_output_tokens"


def test_the_events_of_a_response_come_in_order(client: OpenAI) -> None:
    wanted: Any = {"model": NAME, "input": "Say hello.", "max_output_tokens": 12, "temperature": 0}
    whole = client.responses.create(**wanted)
    events = list(client.responses.create(**wanted, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        f"response.{whole.status}",
    ]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert events[-1].response.usage == whole.usage


def test_the_package_gathers_a_response_from_its_events(client: OpenAI) -> None:
    asked = {"model": NAME, "input": "Say hello.", "max_output_tokens": 200, "temperature": 0}
    with client.responses.stream(**asked) as stream:
        assert stream.get_final_response().output_text


def test_a_response_holds_a_schema(client: OpenAI) -> None:
    found = client.responses.parse(
        model=NAME, input="Tell of Paris as JSON.", text_format=City, max_output_tokens=100, temperature=0
    )
    assert isinstance(found.output_parsed, City)


def test_a_conversation_goes_on_with_what_came_before(
    scripted_client: OpenAI, scripted: ScriptedEngine
) -> None:
    scripted.scripts = [[say(calls("weather", city="Paris")), say(DONE)], [say(piece("Sunny.")), say(DONE)]]
    items: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": "And Paris?"}]}]
    first = scripted_client.responses.create(model=NAME, input=items, tools=[WEATHER])
    (call,) = first.output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Paris"}
    items += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "blue"}]
    second = scripted_client.responses.create(model=NAME, input=items, tools=[WEATHER])
    assert second.output_text == "Sunny."
    asked = scripted.asked()[1]["messages"]
    assert asked[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Paris"}}
    assert (asked[2]["role"], asked[2]["content"], asked[2]["tool_name"]) == ("tool", "blue", "weather")
    scripted_client.responses.create(model=NAME, input=[*items, *second.output, *items[:1]])


def test_calls_and_thinking_are_events(scripted_client: OpenAI, scripted: ScriptedEngine) -> None:
    thought = {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False}
    scripted.scripts = [
        [say(thought), say(piece("Let me see.")), say(calls("weather", city="Rome")), say(DONE)]
    ]
    with scripted_client.responses.stream(model=NAME, input="And Rome?", tools=[WEATHER]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert "response.reasoning_summary_text.delta" in kinds
    assert "response.function_call_arguments.done" in kinds


def test_an_error_in_a_responses_stream_is_raised(client: OpenAI) -> None:
    stream = client.responses.create(model=NAME, input="FAIL now.", stream=True, max_output_tokens=30)
    with pytest.raises(APIError) as caught:
        list(stream)
    assert caught.value.code == "engine_error"
