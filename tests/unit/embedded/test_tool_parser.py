import pytest

from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.tool_parser import ToolParser, tag_of, with_tool_calls

TAGGED = "{{ if .ToolCalls }}{{ range .ToolCalls }}<tool_call>\n{{ . }}</tool_call>{{ end }}{{ end }}"
PLAIN = '{{ range .ToolCalls }}{"name": "{{ .Function.Name }}"}{{ end }}'
TOOLS = [{"type": "function", "function": {"name": "weather"}}]


def read(template: str, *pieces: str) -> tuple[str, list[tuple[str, dict[str, object]]]]:
    stream = [*(Piece(text) for text in pieces), Piece("", done_reason="stop")]
    found = list(with_tool_calls(iter(stream), ToolParser(template, TOOLS)))
    calls = [call["function"] for piece in found for call in piece.tool_calls]
    return "".join(piece.content for piece in found), [(call["name"], call["arguments"]) for call in calls]


@pytest.mark.parametrize(("template", "tag"), [(TAGGED, "<tool_call>"), (PLAIN, "{"), ("", "{")])
def test_the_tag_is_read_from_the_template(template: str, tag: str) -> None:
    assert tag_of(template) == tag


def test_a_call_is_taken_out_of_the_text() -> None:
    pieces = [
        "Let me see. ",
        "<tool",
        "_call>",
        '{"name": "weather", "argu',
        'ments": {"city": "Paris"}}',
        "</tool_call>",
    ]
    assert read(TAGGED, *pieces) == ("Let me see. ", [("weather", {"city": "Paris"})])


def test_parameters_is_another_word_for_arguments() -> None:
    assert read(PLAIN, '{"name": "weather", "parameters": {}}') == ("", [("weather", {})])


@pytest.mark.parametrize(
    "text", ["just text", "a <b> c", '{"name": "unknown", "arguments": {}}', 'see {"a": 1}', "{unfinished"]
)
def test_what_is_no_call_is_shown(text: str) -> None:
    shown, calls = read(PLAIN, *text)
    assert calls == []
    assert shown.strip() in (text, "")
    if not text.startswith('{"name"'):
        assert shown == text
