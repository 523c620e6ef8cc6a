"""The items that `/v1/responses` takes as input, read into the engine's messages.

Owns their shapes, those of answers that are sent back included, and how they
follow each other: calls and thinking belong to one turn of the assistant. Pure.

    InputItem ... -> Message ...
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ia0_daemon.engine.messages import Message
from ia0_daemon.gateway.routes.openai_fields import refusal
from ia0_daemon.gateway.routes.openai_messages import call_of, image_of

_BETWEEN_PARTS = "\n"


class ItemPart(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A part of a message's content, of a call's result, or of what was thought."""

    type: Literal[
        "input_text", "output_text", "text", "refusal", "input_image", "summary_text", "reasoning_text"
    ]
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    annotations: Any = None
    logprobs: Any = None


class InputItem(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A message, a call, its result, or what was thought before."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["user", "system", "developer", "assistant"] | None = None
    content: str | list[ItemPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[ItemPart] | None = None
    summary: list[ItemPart] | None = None
    id: str | None = None
    status: str | None = None
    phase: str | None = None
    encrypted_content: str | None = None


def messages_of(items: list[InputItem]) -> list[Message]:
    """Give the engine's messages. Raises `InvalidRequest`, which names the place."""
    turns = _Turns()
    for at, item in enumerate(items):
        turns.take(item, f"input[{at}]")
    return turns.messages


class _Turns:
    """The conversation as far as it has been read."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._names: dict[str, str] = {}
        self._thought = ""

    def take(self, item: InputItem, field: str) -> None:
        """Add one item."""
        if item.type == "message":
            self._message(item, field)
        elif item.type == "function_call":
            self._call(item, field)
        elif item.type == "function_call_output":
            self._result(item, field)
        else:
            self._thought = "".join(
                part.text or "" for part in [*(item.summary or []), *_parts(item.content)]
            )

    def _message(self, item: InputItem, field: str) -> None:
        if item.role is None:
            raise refusal(f"{field}.role", None, "it is missing")
        if item.content is None:
            raise refusal(f"{field}.content", None, "it is missing")
        text, images = _content(item.content, f"{field}.content")
        role = "system" if item.role == "developer" else item.role
        thought = self._take_thought() if role == "assistant" else ""
        self.messages.append(Message(role, text, thinking=thought, images=images))

    def _call(self, item: InputItem, field: str) -> None:
        if not item.name or not item.call_id:
            missing = "name" if not item.name else "call_id"
            raise refusal(f"{field}.{missing}", None, "it is missing")
        self._names[item.call_id] = item.name
        call = call_of(item.call_id, item.name, item.arguments or "", field)
        if self.messages and self.messages[-1].role == "assistant":
            last = self.messages[-1]
            self.messages[-1] = msgspec.structs.replace(last, tool_calls=[*last.tool_calls, call])
        else:
            self.messages.append(Message("assistant", "", thinking=self._take_thought(), tool_calls=[call]))

    def _result(self, item: InputItem, field: str) -> None:
        if not item.call_id:
            raise refusal(f"{field}.call_id", None, "it is missing: the id of the call that this answers")
        if item.output is None:
            raise refusal(f"{field}.output", None, "it is missing")
        text, images = _content(item.output, f"{field}.output")
        name = self._names.get(item.call_id, "")
        self.messages.append(Message("tool", text, images=images, tool_name=name, tool_call_id=item.call_id))

    def _take_thought(self) -> str:
        thought, self._thought = self._thought, ""
        return thought


def _parts(content: str | list[ItemPart] | None) -> list[ItemPart]:
    return content if isinstance(content, list) else []


def _content(content: str | list[ItemPart], field: str) -> tuple[str, list[str]]:
    if isinstance(content, str):
        return content, []
    texts, images = [], []
    for at, part in enumerate(content):
        if part.type == "input_image":
            place = f"{field}[{at}].image_url"
            if not part.image_url:
                raise refusal(place, part.file_id, "files are not stored; send the image as a data: address")
            images.append(image_of(part.image_url, place))
        else:
            texts.append(part.text or part.refusal or "")
    return _BETWEEN_PARTS.join(texts), images
