"""/api/generate: what its lines and its one object bear."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.shapes import FIGURES, hold_line, hold_trailer
from tests.conformance.target import Target

sentence = pytest.mark.sentence

CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Lisbon", "Porto"]}, "rank": {"enum": [1, 2]}},
    "required": ["city", "rank"],
    "additionalProperties": False,
}


def options(**more: Any) -> dict[str, Any]:
    return {"temperature": 0, "num_predict": 8, **more}


def streamed(engine: Target, **fields: Any) -> list[dict[str, Any]]:
    body = {"model": engine.model, "prompt": "Name three colours.", "options": options(), **fields}
    with engine.client.open("/api/generate", body) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "application/x-ndjson"
        return list(stream.lines())


@sentence(
    "generate.streams-by-default", "generate.trailer", "generate.nanoseconds", "generate.zeroes-are-left-out"
)
def test_it_streams_lines_and_a_last_line_with_the_figures(engine: Target) -> None:
    *lines, last = streamed(engine)
    assert lines
    for line in lines:
        hold_line(line, engine.model, "response")
        assert line["response"]
    hold_trailer(last, engine.model, "response", context=True)
    assert last["response"] == ""


@sentence("generate.streams-by-default")
def test_lines_come_one_by_one(engine: Target) -> None:
    with engine.client.open("/api/generate", engine.endless()) as stream:
        assert len(stream.take(3)) == 3


@sentence("generate.unstreamed", "generate.zeroes-are-left-out")
def test_unstreamed_it_is_one_object_with_the_same_text(engine: Target) -> None:
    *lines, last = streamed(engine)
    answer = engine.generate("Name three colours.", options=options())
    assert answer.headers["content-type"].startswith("application/json")
    whole = answer.json()
    hold_trailer(whole, engine.model, "response", context=True)
    assert whole["response"] == "".join(line["response"] for line in lines)
    assert whole["eval_count"] == last["eval_count"]


@sentence("generate.context")
def test_raw_has_no_context_and_no_template(engine: Target) -> None:
    raw = engine.generate("Name three colours.", raw=True, options=options()).json()
    hold_trailer(raw, engine.model, "response", context=False)
    rendered = engine.generate("Name three colours.", options=options()).json()
    assert raw["prompt_eval_count"] < rendered["prompt_eval_count"]


@sentence("generate.context", "generate.fields")
def test_the_context_goes_on_where_the_last_answer_ended(engine: Target) -> None:
    first = engine.generate("My name is Rosalinda.", options=options()).json()
    assert all(isinstance(token, int) for token in first["context"])
    assert abs(len(first["context"]) - first["prompt_eval_count"] - first["eval_count"]) <= 2
    alone = engine.generate("What is it?", options=options()).json()
    after = engine.generate("What is it?", options=options(), context=first["context"]).json()
    assert after["prompt_eval_count"] >= len(first["context"])
    assert after["prompt_eval_count"] > alone["prompt_eval_count"]


@sentence("generate.fields")
def test_a_system_text_is_part_of_the_prompt(engine: Target) -> None:
    short = engine.generate("Hi", system="Be brief.", options=options()).json()
    long = engine.generate("Hi", system="Be brief. " * 20, options=options()).json()
    assert long["prompt_eval_count"] >= short["prompt_eval_count"] + 19


@sentence("generate.fields")
def test_a_template_of_the_request_replaces_the_model_s(engine: Target) -> None:
    templated = engine.generate("Name three colours.", template="{{ .Prompt }}", options=options()).json()
    raw = engine.generate("Name three colours.", raw=True, options=options()).json()
    assert templated["prompt_eval_count"] == raw["prompt_eval_count"]
    assert templated["response"] == raw["response"]


@sentence("generate.fields")
def test_a_suffix_is_refused_where_the_model_cannot_insert(engine: Target) -> None:
    shown = engine.client.send("POST", "/api/show", {"model": engine.model}).json()
    answer = engine.generate("def f():", suffix="return 1", options=options())
    if "insert" in shown["capabilities"]:
        assert answer.status == 200
    else:
        assert answer.status == 400
        assert "does not support insert" in answer.error()


@sentence("generate.load", "generate.zeroes-are-left-out")
def test_an_empty_prompt_loads(engine: Target) -> None:
    engine.unload()
    loaded = engine.generate("", stream=True)
    body = loaded.json()
    assert (body["done"], body["done_reason"], body["response"]) == (True, "load", "")
    assert not FIGURES & set(body)
    assert engine.loaded() is not None


@sentence("generate.unload", "keep_alive.zero", "standin.11-keep-alive")
def test_an_empty_prompt_with_keep_alive_zero_unloads(engine: Target) -> None:
    engine.load()
    body = engine.generate("", keep_alive=0).json()
    assert (body["done"], body["done_reason"], body["response"]) == (True, "unload", "")
    assert not FIGURES & set(body)
    engine.unload()


@sentence("generate.format", "generate.fields")
def test_format_json_gives_json(engine: Target) -> None:
    prompt = "Answer with a JSON object that has the field city."
    whole = engine.generate(prompt, format="json", options=options(num_predict=60)).json()
    if whole["done_reason"] == "stop":
        json.loads(whole["response"])
    assert whole["response"].lstrip().startswith("{")


@sentence("generate.format")
def test_a_schema_is_kept(engine: Target) -> None:
    whole = engine.generate("Which city?", format=CITY, options=options(num_predict=100)).json()
    parsed = json.loads(whole["response"])
    assert parsed["city"] in ("Lisbon", "Porto")
    assert parsed["rank"] in (1, 2)
    assert whole["done_reason"] == "stop"


@sentence("generate.format")
def test_an_empty_format_is_none(engine: Target) -> None:
    plain = engine.generate("Name three colours.", options=options()).json()["response"]
    assert engine.generate("Name three colours.", format="", options=options()).json()["response"] == plain


@sentence("generate.format")
def test_another_format_is_an_error(engine: Target) -> None:
    answer = engine.generate("Hi", format="yaml", options=options())
    assert answer.status >= 400
    assert "invalid format" in answer.error()


@sentence("generate.logprobs")
def test_logprobs_come_for_each_token(engine: Target) -> None:
    plain = engine.generate("Name three colours.", options=options()).json()
    assert "logprobs" not in plain
    whole = engine.generate("Name three colours.", logprobs=True, options=options()).json()
    assert "".join(one["token"] for one in whole["logprobs"]) == whole["response"]
    assert all(one["logprob"] <= 0 and "top_logprobs" not in one for one in whole["logprobs"])


@sentence("generate.logprobs")
def test_top_logprobs_name_the_likeliest(engine: Target) -> None:
    whole = engine.generate(
        "Name three colours.", logprobs=True, top_logprobs=3, options=options(repeat_penalty=1.0)
    ).json()
    for one in whole["logprobs"]:
        assert len(one["top_logprobs"]) == 3
        assert set(one["top_logprobs"][0]) >= {"token", "logprob"}
        assert one["top_logprobs"][0]["token"] == one["token"], "the greedy choice is the likeliest"


@sentence("generate.logprobs")
def test_streamed_lines_bear_their_logprobs(engine: Target) -> None:
    *lines, last = streamed(engine, logprobs=True)
    assert all(line["logprobs"] for line in lines)
    assert "logprobs" not in last
