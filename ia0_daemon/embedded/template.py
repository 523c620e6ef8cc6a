"""A model's chat template: from messages to the prompt that the model continues.

    Template(source).render(messages, tools, ...) -> prompt

Owns Ollama's two ways of filling a template: one with ``.Messages`` sees them
all; an older one with ``.System .Prompt .Response`` is filled once per turn, and
what follows ``.Response`` in the last turn is cut, so that a last message of the
assistant is continued (prefill).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ia0_daemon.embedded.template_functions import FUNCTIONS
from ia0_daemon.embedded.template_lex import TemplateError
from ia0_daemon.embedded.template_parse import parse
from ia0_daemon.embedded.template_run import run
from ia0_daemon.embedded.template_tree import (
    Action,
    Branch,
    Field,
    Function,
    Node,
    Pipeline,
    cut_after_response,
    names_used,
)

Message = dict[str, Any]

# What Ollama's registry gives qwen2 and what fits every ChatML model; prefill works with it.
CHATML = (
    "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
    "{{ if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
)
CHATML_STOPS = ("<|im_start|>", "<|im_end|>")
# A model without any template gets its prompt as it is.
PLAIN = "{{ .Prompt }}"

_RESPONSE = Action(Pipeline(((Field(".", ("Response",)),),)))


@dataclass
class Values:
    """What a template is filled with."""

    messages: list[Message] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)
    prompt: str = ""
    suffix: str = ""


class Template:
    """A parsed template."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._nodes = parse(source)
        _check_functions(self._nodes)
        self.names = names_used(self._nodes)
        if not self.names & {"messages", "response"}:
            self._nodes = (*self._nodes, _RESPONSE)

    def render(self, values: Values) -> str:
        """The prompt; TemplateError when the template cannot be filled."""
        try:
            return self._render(values)
        except (TypeError, IndexError, KeyError, AttributeError) as error:
            raise TemplateError(f"template: {error}") from error

    def _render(self, values: Values) -> str:
        if values.prompt and values.suffix:
            return run(self._nodes, _data(Prompt=values.prompt, Suffix=values.suffix, Response=""))
        system, messages = collate(values.messages)
        if "messages" in self.names:
            data = _data(System=system, Messages=messages, Tools=values.tools, Response="")
            return run(self._nodes, data)
        return self._by_turns(messages)

    def _by_turns(self, messages: list[Message]) -> str:
        turn = {"System": "", "Prompt": "", "Response": ""}
        out: list[str] = []
        for message in messages:
            role = message["role"]
            full = turn["Response"] or (turn["Prompt"] and role == "system")
            if full and role in ("system", "user"):
                out.append(run(self._nodes, _data(**turn)))
                turn = {"System": "", "Prompt": "", "Response": ""}
            slot = {"system": "System", "user": "Prompt", "assistant": "Response"}.get(role)
            if slot:
                turn[slot] = message["content"]
        out.append(run(cut_after_response(self._nodes), _data(**turn)))
        return "".join(out)


def _data(**values: Any) -> dict[str, Any]:
    return {"Think": False, "ThinkLevel": "", "IsThinkSet": False, **values}


def collate(messages: list[Message]) -> tuple[str, list[Message]]:
    """All system texts joined, and the messages with neighbours of one role merged (not tool results)."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"] != "tool":
            merged[-1] = {**merged[-1], "content": f"{merged[-1]['content']}\n\n{message['content']}"}
        else:
            merged.append(message)
    return "\n\n".join(system), merged


def _check_functions(nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        if isinstance(node, Action | Branch):
            _check_pipeline(node.pipeline)
        if isinstance(node, Branch):
            _check_functions((*node.body, *node.otherwise))


def _check_pipeline(pipeline: Pipeline) -> None:
    for command in pipeline.commands:
        for operand in command:
            if isinstance(operand, Function) and operand.name not in FUNCTIONS:
                raise TemplateError(f'template: :1: function "{operand.name}" not defined')
            if isinstance(operand, Pipeline):
                _check_pipeline(operand)
