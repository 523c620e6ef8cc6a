import pytest

from ia0_daemon.embedded.binding import bind, check_object
from ia0_daemon.embedded.failures import StatusFailure

FIELDS = {
    "model": "string",
    "stream": "*bool",
    "count": "int",
    "messages": "[]api.Message",
    "options": "map[string]any",
}


def fault(body: bytes) -> str:
    with pytest.raises(StatusFailure) as raised:
        bind(body, FIELDS, "ChatRequest")
    assert raised.value.status == 400
    return str(raised.value)


def test_known_fields_are_kept_and_others_ignored() -> None:
    assert bind(b'{"model": "m", "other": 1, "stream": null}', FIELDS, "ChatRequest") == {"model": "m"}


def test_names_of_fields_are_found_in_any_case() -> None:
    assert bind(b'{"Model": "m"}', FIELDS, "ChatRequest") == {"model": "m"}


def test_what_follows_the_first_value_is_ignored_as_go_does() -> None:
    assert bind(b'{"model": "m"} tail', FIELDS, "ChatRequest") == {"model": "m"}


def test_bytes_that_are_no_text_are_replaced_as_go_does() -> None:
    assert bind(b'{"model": "\xff"}', FIELDS, "ChatRequest") == {"model": "\ufffd"}


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_no_body_is_said_so(body: bytes) -> None:
    assert fault(body) == "missing request body"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "unexpected EOF"),
        (b'{"model": }', "invalid character '}' looking for beginning of value"),
        (b"[1]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        (
            b'{"model": 1}',
            "json: cannot unmarshal number into Go struct field ChatRequest.model of type string",
        ),
        (
            b'{"stream": "yes"}',
            "json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool",
        ),
        (
            b'{"count": 1.5}',
            "json: cannot unmarshal number 1.5 into Go struct field ChatRequest.count of type int",
        ),
        (
            b'{"messages": {}}',
            "json: cannot unmarshal object into Go struct field ChatRequest.messages of type []api.Message",
        ),
        (
            b'{"messages": ["x"]}',
            "json: cannot unmarshal string into Go struct field ChatRequest.messages of type api.Message",
        ),
    ],
)
def test_faults_are_worded_as_go_words_them(body: bytes, text: str) -> None:
    assert fault(body) == text


def test_an_object_inside_is_checked_with_its_path() -> None:
    with pytest.raises(
        StatusFailure, match=r"into Go struct field ChatRequest\.messages\.content of type string"
    ):
        check_object(
            {"role": "user", "content": 1}, {"role": "string", "content": "string"}, "ChatRequest.messages"
        )
