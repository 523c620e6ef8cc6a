"""/api/chat: lines, trailer, loading, roles; and going on from a text (prefill)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.shapes import FIGURES, hold_line, hold_trailer
from tests.conformance.target import Target

sentence = pytest.mark.sentence

OPTIONS = {"temperature": 0, "num_predict": 8}
QUESTION = {"role": "user", "content": "What is the capital of France?"}


def said(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def streamed(engine: Target, messages: list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    body = {"model": engine.model, "messages": messages, "options": OPTIONS, **fields}
    with engine.client.open("/api/chat", body) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "application/x-ndjson"
        return list(stream.lines())


def text_of(lines: list[dict[str, Any]]) -> str:
    return "".join(line["message"]["content"] for line in lines)


@sentence("chat.lines", "chat.trailer", "generate.nanoseconds", "generate.zeroes-are-left-out")
def test_each_line_bears_a_message_and_the_last_the_figures(engine: Target) -> None:
    *lines, last = streamed(engine, [QUESTION])
    assert lines
    for line in lines:
        hold_line(line, engine.model, "message")
        assert set(line["message"]) == {"role", "content"}
        assert line["message"]["role"] == "assistant"
    hold_trailer(last, engine.model, "message", context=False)
    assert last["message"] == said("")


@sentence("chat.trailer", "chat.fields")
def test_unstreamed_it_is_one_object_with_the_same_text(engine: Target) -> None:
    whole = engine.chat([QUESTION], options=OPTIONS).json()
    hold_trailer(whole, engine.model, "message", context=False)
    assert whole["message"] == said(text_of(streamed(engine, [QUESTION])))


@sentence("chat.load", "generate.zeroes-are-left-out")
def test_no_messages_load_the_model(engine: Target) -> None:
    engine.unload()
    body = engine.chat([], stream=True).json()
    assert (body["done"], body["done_reason"], body["message"]) == (True, "load", said(""))
    assert not FIGURES & set(body)
    assert engine.loaded() is not None


@sentence("chat.load", "keep_alive.zero")
def test_no_messages_with_keep_alive_zero_unload_it(engine: Target) -> None:
    engine.load()
    body = engine.chat([], keep_alive=0).json()
    assert (body["done"], body["done_reason"], body["message"]) == (True, "unload", said(""))
    engine.unload()


@sentence("chat.fields")
def test_every_message_is_part_of_the_prompt(engine: Target) -> None:
    messages = [{"role": "system", "content": "You are a pirate."}, QUESTION, said("Paris."), QUESTION]
    counts = [
        engine.chat(messages[index:], options=OPTIONS).json()["prompt_eval_count"] for index in (0, 1, 3)
    ]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 3


@sentence("chat.fields", "generate.format")
def test_a_schema_is_kept_in_chat_too(engine: Target) -> None:
    seas = {"sea": {"enum": ["Black", "Red"]}}
    schema = {"type": "object", "properties": seas, "required": ["sea"], "additionalProperties": False}
    whole = engine.chat([QUESTION], format=schema, options={**OPTIONS, "num_predict": 60}).json()
    assert json.loads(whole["message"]["content"])["sea"] in ("Black", "Red")


@sentence("prefill.goes-on", "prefill.continuation-alone")
@pytest.mark.parametrize("stream", [True, False])
def test_a_last_message_of_the_assistant_is_gone_on_with(engine: Target, stream: bool) -> None:
    prefix = "The capital of France is the beautiful city of"
    messages = [QUESTION, said(prefix)]
    if stream:
        text = text_of(streamed(engine, messages))
    else:
        text = engine.chat(messages, options=OPTIONS).json()["message"]["content"]
    assert text.strip()
    assert not text.strip().startswith(prefix), "the answer is the continuation alone"
    assert text.lstrip().startswith("Paris"), text


@sentence("prefill.goes-on")
def test_the_text_gone_on_with_stays_open(engine: Target) -> None:
    bare = engine.chat([QUESTION], options=OPTIONS).json()["prompt_eval_count"]
    begun = engine.chat([QUESTION, said("Well")], options=OPTIONS).json()["prompt_eval_count"]
    # One word is one or two tokens; a closed message and a new opening would be at least four more.
    assert bare < begun <= bare + 3


@sentence("prefill.goes-on")
def test_a_cut_answer_goes_on_as_text(engine: Target) -> None:
    options = {**OPTIONS, "num_predict": 24}
    whole = engine.chat([{"role": "user", "content": "Tell me about the sea."}], options=options).json()
    text = whole["message"]["content"]
    cut = text[: len(text) // 2]
    rest = engine.chat([{"role": "user", "content": "Tell me about the sea."}, said(cut)], options=options)
    went_on = rest.json()["message"]["content"]
    assert went_on
    assert not went_on.startswith(cut)


@sentence("prefill.schema-starts-anew")
def test_a_schema_behind_a_prefix_starts_from_its_beginning(engine: Target) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    messages = [QUESTION, said('{"city": "Par')]
    whole = engine.chat(messages, format=schema, options={**OPTIONS, "num_predict": 40}).json()
    text = whole["message"]["content"]
    assert text.lstrip().startswith("{"), "the grammar knows nothing of the prefix"
    with pytest.raises(json.JSONDecodeError):
        json.loads('{"city": "Par' + text)
