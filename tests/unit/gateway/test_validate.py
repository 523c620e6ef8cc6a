"""What a body may say, and how each wrong one is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.validate import GenerateRequest, Params, generate_request
from ia0_daemon.settings.schema import Limits

LIMITS = Limits(max_tokens=100, max_prompt_chars=50)


def refused(body: bytes | dict[str, Any]) -> InvalidRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest) as caught:
        generate_request(raw, LIMITS)
    return caught.value


def accepted(**fields: Any) -> GenerateRequest:
    return generate_request(json.dumps({"prompt": "Hi", **fields}).encode(), LIMITS)


def test_the_contracts_example_is_accepted() -> None:
    params = {"temperature": 0.7, "max_tokens": 100, "top_p": 0.9, "top_k": 40}
    request = accepted(model="qwen2-7b", params=params)
    assert request.params is not None
    assert request.params.options(LIMITS) == {
        "temperature": 0.7,
        "num_predict": 100,
        "top_p": 0.9,
        "top_k": 40,
    }


def test_without_max_tokens_the_most_is_asked_for() -> None:
    assert Params().options(LIMITS) == {"num_predict": 100}


@pytest.mark.parametrize(("said", "sent"), [("END", ["END"]), (["a", "b"], ["a", "b"])])
def test_stop_is_a_list_for_the_engine(said: object, sent: list[str]) -> None:
    request = accepted(params={"stop": said})
    assert request.params is not None
    assert request.params.options(LIMITS)["stop"] == sent


def test_null_is_the_same_as_left_out() -> None:
    request = accepted(model=None, system=None, params=dict.fromkeys(Params.__struct_fields__))
    assert request.params is not None
    assert request.params.options(LIMITS) == {"num_predict": 100}
    assert accepted(params=None).params is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", None),
        ("prompt", 1),
        ("prompt", ["Hi"]),
        ("prompt", ""),
        ("prompt", " \n\t"),
        ("prompt", "x" * 51),
        ("model", 7),
        ("system", {}),
        ("stream", None),
        ("stream", "true"),
        ("params", []),
        ("params.temperature", -0.1),
        ("params.temperature", 2.1),
        ("params.temperature", "0.7"),
        ("params.temperature", True),
        ("params.max_tokens", 0),
        ("params.max_tokens", 101),
        ("params.max_tokens", 10.5),
        ("params.max_tokens", 10**30),
        ("params.top_p", 1.1),
        ("params.top_k", -1),
        ("params.top_k", 1001),
        ("params.min_p", -1),
        ("params.seed", -1),
        ("params.seed", 2**32),
        ("params.stop", ""),
        ("params.stop", "x" * 257),
        ("params.stop", ["a"] * 17),
        ("params.repeat_penalty", 0),
        ("params.repeat_penalty", 5e-324),
        ("params.repeat_penalty", 2.5),
        ("params.presence_penalty", 3),
        ("params.frequency_penalty", -3),
    ],
)
def test_a_wrong_value_is_refused_with_the_fields_name(field: str, value: object) -> None:
    outer, _, inner = field.partition(".")
    error = refused({"prompt": "Hi", outer: {inner: value} if inner else value})
    assert error.details["field"] == field
    assert error.message.startswith(f"{field}: ")


def test_system_and_prompt_share_the_limit() -> None:
    assert accepted(system="x" * 48).system
    assert refused({"prompt": "Hi", "system": "x" * 49}).details["limit"] == 50


def test_the_place_in_a_list_is_told() -> None:
    error = refused({"prompt": "Hi", "params": {"stop": ["ok", 3]}})
    assert (error.details["field"], error.details["value"]) == ("params.stop[1]", 3)


@pytest.mark.parametrize(
    ("body", "field", "known"),
    [
        ({"prompt": "Hi", "tempreature": 1}, "tempreature", "prompt, model"),
        ({"prompt": "Hi", "params": {"temp": 1}}, "params.temp", "temperature"),
        ({"a.b": 1}, "a.b", "prompt"),
        ({"params": {"x[0]": 1}}, "params.x[0]", "temperature"),
        ({"a` - at `$.params": 1}, None, "unknown field"),
        ({"": 1}, "", "prompt"),
    ],
)
def test_an_unknown_field_is_refused_with_what_is_known(
    body: dict[str, Any], field: str | None, known: str
) -> None:
    error = refused(body)
    assert field is None or error.details["field"] == field
    assert known in error.message


def test_long_names_and_values_are_not_repeated_whole() -> None:
    error = refused({"x" * 100_000: "y" * 100_000})
    assert len(json.dumps(error.body())) < 2000


def test_a_missing_prompt_is_named() -> None:
    assert "prompt" in refused({"model": "auto"}).message


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"Hi"', b'{"prompt": "Hi"} x', b"prompt=Hi", b"{'prompt': 'Hi'}"],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "olá"}'.encode("latin-1"),
        '{"prompt": "Hi"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"prompt": "Hi"}',
        b'{"prompt": "\\ud800"}',
    ],
)
def test_a_body_that_is_not_utf8_is_refused(body: bytes) -> None:
    assert "not JSON in UTF-8" in refused(body).message


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": 1, and then nothing that is JSON',
        b'{"x":' + b"[" * 100_000,
        b'{"prompt": "Hi", "params": {"temperature": 1e999}}',
        b'{"prompt": "Hi", "params": {"temperature": NaN}}',
    ],
)
def test_a_body_that_cannot_be_read_behind_its_fault_is_refused(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "my secret"}]},
        {"prompt": ["my secret"]},
        {"prompt": {"text": "my secret"}},
        {"prompt": "Hi", "system": ["my secret"]},
        {"prompt": "Hi", "params": "my secret"},
    ],
)
def test_the_sentence_that_is_logged_holds_no_text_of_the_caller(body: dict[str, Any]) -> None:
    error = refused(body)
    assert "my secret" not in error.message
    assert "my secret" in str(error.details["value"]), "the caller is told all the same"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
NAMES = st.sampled_from([*GenerateRequest.__struct_fields__, *Params.__struct_fields__])
BODIES = st.dictionaries(NAMES | st.text(), JSON | st.dictionaries(NAMES | st.text(), JSON))


@given(st.binary() | st.binary().map(lambda tail: b'{"prompt": 1, ' + tail))
def test_arbitrary_bytes_are_never_worse_than_invalid(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        generate_request(body, LIMITS)


@given(JSON | BODIES)
def test_arbitrary_json_is_never_worse_than_invalid(value: object) -> None:
    with contextlib.suppress(InvalidRequest):
        generate_request(json.dumps(value).encode(), LIMITS)
