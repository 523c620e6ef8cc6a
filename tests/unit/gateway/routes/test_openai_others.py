"""Completions, embeddings, models and responses: what is asked of the engine, and what is refused."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec import structs

from ia0_daemon.engine.messages import CHAT, GENERATE, ChatLine, Delta
from ia0_daemon.errors import ContextLengthExceeded, EngineError
from ia0_daemon.settings.schema import Limits
from tests.fakes import MODEL, FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Reconfigure

VECTORS = b'{"embeddings":[[0.5,-1.0],[0.25,0.125]],"prompt_eval_count":4}'
TOKEN = {"token": "Hi", "logprob": -0.5, "top_logprobs": [{"token": "Ho", "logprob": -1.5}]}


def post(http: FlaskClient, route: str, **body: object) -> Any:
    return http.post(f"/v1/{route}", json=body, buffered=True)


def refused(http: FlaskClient, route: str, **body: object) -> Any:
    response = post(http, route, **body)
    assert response.status_code == 400, response.text
    return response.json["error"]


@pytest.mark.parametrize("prompt", ["Hi", ["Hi"]])
def test_a_prompt_is_asked_as_a_conversation_of_one(
    http: FlaskClient, engine: FakeClient, prompt: object
) -> None:
    body = post(http, "completions", prompt=prompt, max_tokens=5).json
    assert (body["object"], body["choices"][0]["text"]) == ("text_completion", "Hello world")
    (question,) = engine.asked
    assert (question.path, question.messages[0].content, question.may_resume) == (CHAT, "Hi", True)


def test_a_suffix_takes_the_generate_path(http: FlaskClient, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([ChatLine(response="x = 1")])
    response = post(http, "completions", prompt="a", suffix="b", stream=True)
    first, *_ = response.text.split("\n\n")
    assert json.loads(first.removeprefix("data: "))["choices"][0]["text"] == "x = 1"
    (question,) = engine.asked
    assert (question.path, question.fields, question.may_resume) == (
        GENERATE,
        {"prompt": "a", "suffix": "b"},
        False,
    )


def test_nothing_is_put_around_a_gap_that_is_to_be_filled(
    http: FlaskClient, engine: FakeClient, reconfigure: Reconfigure
) -> None:
    model = structs.replace(MODEL, system="Be brief.", template="Answer: {prompt}")
    reconfigure(models={"small": model})
    post(http, "completions", prompt="a", suffix="b")
    assert engine.asked[0].fields == {"prompt": "a", "suffix": "b"}


def test_the_older_logprobs_count_their_places_on_through_a_stream(
    http: FlaskClient, engine: FakeClient
) -> None:
    engine.answer_ = FakeAnswer([ChatLine(message=Delta("Hi"), logprobs=[TOKEN])] * 2)
    response = post(http, "completions", prompt="a", logprobs=1, stream=True)
    chunks = [json.loads(each.removeprefix("data: ")) for each in response.text.split("\n\n")[:2]]
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [each["text_offset"] for each in told] == [[0], [2]]
    assert (told[0]["tokens"], told[0]["token_logprobs"], told[0]["top_logprobs"]) == (
        ["Hi"],
        [-0.5],
        [{"Ho": -1.5}],
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", [1, 2]),
        ("prompt", [[1, 2]]),
        ("prompt", ["a", "b"]),
        ("prompt", []),
        ("n", 2),
        ("best_of", 3),
        ("echo", True),
        ("logit_bias", {"1": 1}),
        ("max_tokens", 10_000),
        ("tools", []),
    ],
)
def test_a_completion_refuses_by_name(
    http: FlaskClient, engine: FakeClient, field: str, value: object
) -> None:
    assert refused(http, "completions", **{"prompt": "Hi", field: value})["param"] == field
    assert engine.asked == []


def test_vectors_are_told_as_numbers_or_as_their_bytes(http: FlaskClient, engine: FakeClient) -> None:
    engine.bodies = [VECTORS, VECTORS]
    plain = post(http, "embeddings", input=["a", "b"], model=MODEL.name).json
    packed = post(http, "embeddings", input=["a", "b"], encoding_format="base64").json
    assert plain == {
        "data": [
            {"index": 0, "embedding": [0.5, -1.0], "object": "embedding"},
            {"index": 1, "embedding": [0.25, 0.125], "object": "embedding"},
        ],
        "model": MODEL.name,
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
        "object": "list",
    }
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack("<2f", raw) == (0.5, -1.0)


def test_dimensions_go_to_the_engine(http: FlaskClient, engine: FakeClient) -> None:
    engine.bodies = [b'{"embeddings":[[0.5]]}']
    assert post(http, "embeddings", input="a", dimensions=1).status_code == 200
    assert engine.asked[0].fields == {"input": ["a"], "dimensions": 1, "stream": False}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", ""),
        ("input", []),
        ("input", [1, 2]),
        ("input", [[1, 2]]),
        ("input", ["x"] * 2049),
        ("input", "x" * 200_001),
        ("encoding_format", "hex"),
        ("dimensions", 0),
        ("truncate", True),
    ],
)
def test_embeddings_refuse_by_name(http: FlaskClient, engine: FakeClient, field: str, value: object) -> None:
    assert refused(http, "embeddings", **{"input": "Hi", field: value})["param"] == field
    assert engine.asked == []


def test_each_text_of_a_batch_may_be_as_long_as_a_prompt(
    http: FlaskClient, engine: FakeClient, reconfigure: Reconfigure
) -> None:
    reconfigure(limits=Limits(max_prompt_chars=3))
    engine.bodies = [VECTORS]
    assert post(http, "embeddings", input=["one", "two"]).status_code == 200
    assert refused(http, "embeddings", input=["one", "four"])["param"] == "input[1]"


@pytest.mark.parametrize("body", [VECTORS, b'{"embeddings":[["a"]]}', b"{}"])
def test_vectors_that_are_not_one_for_each_text_are_an_error(
    http: FlaskClient, engine: FakeClient, body: bytes
) -> None:
    engine.bodies = [body]
    assert post(http, "embeddings", input="a").json["error"]["code"] == "engine_error"


def test_a_text_that_does_not_fit_is_openais_error(http: FlaskClient, engine: FakeClient) -> None:
    engine.bodies = [ContextLengthExceeded("too long")]
    assert refused(http, "embeddings", input="a")["code"] == "context_length_exceeded"


def test_models_are_listed_by_every_name(http: FlaskClient) -> None:
    listed = http.get("/v1/models").json
    assert listed["object"] == "list"
    assert [(each["id"], each["root"]) for each in listed["data"]] == [
        (name, MODEL.name) for name in (MODEL.name, *MODEL.aliases)
    ]


def test_a_model_is_told_by_any_name_that_can_be_asked_for(http: FlaskClient) -> None:
    for name in (MODEL.name, *MODEL.aliases, MODEL.tag):
        assert http.get(f"/v1/models/{name}").json["id"] == name
    missing = http.get("/v1/models/a/b")
    assert (missing.status_code, missing.json["error"]["code"]) == (404, "model_not_found")


def events(http: FlaskClient, **body: object) -> list[Any]:
    response = post(http, "responses", stream=True, input="Hi", **body)
    assert response.status_code == 200, response.text
    found = []
    for event in filter(None, response.text.split("\n\n")):
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def test_a_response_repeats_what_was_asked(http: FlaskClient, engine: FakeClient) -> None:
    body = post(http, "responses", input="Hi", instructions="Be short.", temperature=0.5).json
    assert (body["object"], body["status"], body["store"]) == ("response", "completed", False)
    assert (body["instructions"], body["temperature"]) == ("Be short.", 0.5)
    assert body["output"][0]["content"][0]["text"] == "Hello world"
    assert [(each.role, each.content) for each in engine.asked[0].messages] == [
        ("system", "Be short."),
        ("user", "Hi"),
    ]


def test_an_answer_that_is_cut_is_incomplete(http: FlaskClient, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hello"], end=ChatLine(done=True, done_reason="length"))
    last = events(http)[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_the_last_event_has_the_items_that_the_others_told(http: FlaskClient, engine: FakeClient) -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    engine.answer_ = FakeAnswer(
        [ChatLine(message=Delta(thinking="Hm.")), "Hi", ChatLine(message=Delta(tool_calls=[call]))]
    )
    found = events(http)
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    added = [event["output_index"] for event in found if event["type"] == "response.output_item.added"]
    assert found[-1]["response"]["output"] == done
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call"]
    assert added == [0, 1, 2]


def test_an_empty_answer_has_an_empty_text(http: FlaskClient, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([])
    (item,) = events(http)[-1]["response"]["output"]
    assert item["content"][0]["text"] == ""


def test_an_error_in_mid_stream_is_the_last_event(http: FlaskClient, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hello", EngineError("it broke")])
    last = events(http, resume=False)[-1]
    assert (last["type"], last["message"], last["error"]["code"]) == ("error", "it broke", "engine_error")


def test_items_become_turns(http: FlaskClient, engine: FakeClient) -> None:
    items = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "input_text", "text": "Rome?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
    ]
    assert post(http, "responses", input=items).status_code == 200
    system, user, assistant, tool = engine.asked[0].messages
    assert (system.role, user.content) == ("system", "Rome?")
    assert (assistant.content, assistant.thinking) == ("Wait.", "Hm.")
    assert [call["function"] for call in assistant.tool_calls] == [
        {"name": "f", "arguments": {"a": 1}},
        {"name": "g", "arguments": {}},
    ]
    assert (tool.role, tool.tool_name, tool.content) == ("tool", "f", "one")


def test_truncation_is_our_truncate(http: FlaskClient, engine: FakeClient) -> None:
    too_long = ContextLengthExceeded("no", prompt_tokens=90, context_tokens=50)
    engine.script = [too_long, FakeAnswer(["Hello"])]
    items = [{"role": "user", "content": "word " * 50}]
    found = post(http, "responses", input=items, truncation="auto").json
    assert found["ia0"]["truncated"] == {"prompt_tokens": 90, "context_tokens": 50}
    assert found["truncation"] == "auto"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("store", True),
        ("background", True),
        ("prompt", {"id": "x"}),
        ("include", ["file_search_call.results"]),
        ("tool_choice", "required"),
        ("max_output_tokens", 10_000),
        ("text", {"verbosity": "low"}),
        ("text", {"format": {"type": "json_schema", "name": "x"}}),
        ("tools", [{"type": "web_search", "name": "x"}]),
        ("input", []),
        ("input", [{"type": "item_reference", "id": "x"}]),
        ("input", [{"role": "user"}]),
        ("input", [{"type": "function_call", "name": "f"}]),
        ("input", [{"type": "function_call_output", "output": "x"}]),
        ("input", [{"type": "reasoning", "summary": []}]),
        ("seed", 3),
    ],
)
def test_a_response_refuses_by_name(http: FlaskClient, engine: FakeClient, field: str, value: object) -> None:
    assert refused(http, "responses", **{"input": "Hi", field: value})["param"].startswith(field)
    assert engine.asked == []
