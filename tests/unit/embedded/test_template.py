import pytest

from ia0_daemon.embedded.template import CHATML, Template, Values, collate
from ia0_daemon.embedded.template_lex import TemplateError

# In the shape of the template that Ollama's registry gives llama3.1, shortened.
LLAMA = """{{- if or .System .Tools }}<|start_header_id|>system<|end_header_id|>
{{- if .System }}

{{ .System }}
{{- end }}
{{- if .Tools }}

You can call tools.
{{- end }}<|eot_id|>
{{- end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|start_header_id|>user<|end_header_id|>
{{- if and $.Tools $last }}

{{ range $.Tools }}
{{- . }}
{{ end }}
{{ .Content }}<|eot_id|>
{{- else }}

{{ .Content }}<|eot_id|>
{{- end }}{{ if $last }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- else if eq .Role "assistant" }}<|start_header_id|>assistant<|end_header_id|>
{{- if .ToolCalls }}
{{ range .ToolCalls }}
{"name": "{{ .Function.Name }}", "parameters": {{ .Function.Arguments }}}{{ end }}
{{- else }}

{{ .Content }}
{{- end }}{{ if not $last }}<|eot_id|>{{ end }}
{{- else if eq .Role "tool" }}<|start_header_id|>ipython<|end_header_id|>

{{ .Content }}<|eot_id|>{{ if $last }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- end }}
{{- end }}"""


def message(role: str, content: str, **more: object) -> dict[str, object]:
    return {"role": role, "content": content, **more}


def render(source: str, *messages: dict[str, object], tools: list[object] | None = None) -> str:
    return Template(source).render(Values(list(messages), tools or []))


def fill(source: str, **values: object) -> str:
    """Fill a template that has nothing to do with chats: its data is one message's."""
    return render("{{ range .Messages }}" + source + "{{ end }}", message("user", "", **values))


def test_chatml_is_filled_turn_by_turn() -> None:
    prompt = render(
        CHATML, message("system", "S"), message("user", "a"), message("assistant", "b"), message("user", "c")
    )
    assert prompt == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
        "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_last_message_of_the_assistant_is_left_open() -> None:
    prompt = render(CHATML, message("user", "a"), message("assistant", "Once upon"))
    assert prompt == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nOnce upon"


def test_llamas_template_leaves_a_last_message_of_the_assistant_open_too() -> None:
    prompt = render(LLAMA, message("user", "a"), message("assistant", "Once upon"))
    assert prompt.endswith("assistant<|end_header_id|>\n\nOnce upon")


def test_llamas_template_puts_tools_into_the_last_message_of_the_user_alone() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    last = message("user", "question")
    assert '{"type":"function","function":{"name":"f"}}' in render(LLAMA, last, tools=[tool])
    prompt = render(LLAMA, last, message("assistant", "begin"), tools=[tool])
    assert '"name"' not in prompt


def test_llamas_template_shows_calls_and_their_results() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    prompt = render(
        LLAMA, message("user", "q"), message("assistant", "", tool_calls=[call]), message("tool", "42")
    )
    assert '\n{"name": "f", "parameters": {"a":1}}<|eot_id|>' in prompt
    assert prompt.endswith("42<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_a_template_without_a_place_for_the_response_gets_one_at_its_end() -> None:
    assert (
        render("Q: {{ .Prompt }}\nA:", message("user", "q"), message("assistant", " yes")) == "Q: q\nA: yes"
    )


def test_a_suffix_fills_the_template_once() -> None:
    template = Template("<PRE>{{ .Prompt }}<SUF>{{ .Suffix }}<MID>")
    assert template.render(Values(prompt="a", suffix="b")) == "<PRE>a<SUF>b<MID>"


def test_neighbours_of_one_role_are_merged_but_not_tools() -> None:
    system, merged = collate(
        [message("system", "1"), message("system", "2"), message("tool", "a"), message("tool", "b")]
    )
    assert system == "1\n\n2"
    assert [item["content"] for item in merged] == ["1\n\n2", "a", "b"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a {{- .A -}} b", "axb"),
        ("{{/* a comment */}}-", "-"),
        ('{{ if eq .A "x" "y" }}yes{{ else }}no{{ end }}', "yes"),
        ("{{ if not .None }}empty{{ end }}", "empty"),
        ('{{ if and .A .None }}a{{ else if or .None "b" }}b{{ end }}', "b"),
        ("{{ with .A }}[{{ . }}]{{ end }}", "[x]"),
        ("{{ range $i, $v := .List }}{{ $i }}={{ $v }};{{ end }}", "0=1;1=2;2=3;"),
        ("{{ range .List }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ else }}none{{ end }}", "1"),
        ("{{ range .List }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13"),
        ("{{ range .None }}x{{ else }}none{{ end }}", "none"),
        ("{{ $x := 1 }}{{ range .List }}{{ $x = . }}{{ end }}{{ $x }}", "3"),
        ("{{ len .List }} {{ index .List 1 }} {{ len (slice .List 1) }}", "3 2 2"),
        ('{{ printf "%s-%d" .A 3 }}{{ .A | printf "<%s>" }}', "x-3<x>"),
        (
            "{{ json .List }} {{ .Missing }} {{ true }} {{ 1.5 }} {{ `raw` }}",
            "[1,2,3] <no value> true 1.5 raw",
        ),
        ('{{ "}}" }}', "}}"),
        ("{{ lt 1 2 }}{{ ge 1 2 }}{{ ne 1 2 }}", "truefalsetrue"),
    ],
)
def test_gos_template_language_is_carried_out(source: str, text: str) -> None:
    assert fill(source, A="x", List=[1, 2, 3]) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ if .A }}",
        "{{ end }}",
        "{{ .A",
        "{{ nosuch .A }}",
        '{{ template "x" }}',
        "{{ ( .A }}",
        "{{ }}",
        "{{ if }}x{{ end }}",
    ],
)
def test_a_template_that_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        Template(source)


def test_a_template_that_cannot_be_filled_is_refused() -> None:
    with pytest.raises(TemplateError):
        fill("{{ len .A }}", A=3)
