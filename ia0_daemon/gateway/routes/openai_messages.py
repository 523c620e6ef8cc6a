"""OpenAI's messages, read into the engine's.

Owns their shapes and what each part becomes: texts are joined, images are taken
from `data:` addresses, calls' arguments become objects. Pure.

    ChatMessage ... -> Message ...
"""

from __future__ import annotations

import binascii
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ia0_daemon.engine.messages import Message
from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.routes.openai_fields import refusal

# Between the texts of one message that came in several parts.
_BETWEEN_PARTS = "\n"
_IMAGE = re.compile(r"data:image/[A-Za-z0-9.+-]+;base64,")


class TextPart(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True, frozen=True):
    """A text."""

    text: str


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True, frozen=True):
    """An assistant's refusal, sent back."""

    refusal: str


class ImageUrl(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where an image is."""

    url: str
    detail: str | None = None
    """Taken, without effect: the model decides."""


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True, frozen=True):
    """An image."""

    image_url: ImageUrl | str


class FunctionCall(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which function was called, and how."""

    name: str
    arguments: str = ""
    """An object as JSON text."""


class ToolCall(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A call that an assistant made."""

    function: FunctionCall
    id: str = ""
    type: Literal["function"] = "function"
    index: int | None = None


class ChatMessage(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One turn; an assistant's is taken with every field that SDKs send back."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart | RefusalPart | ImagePart] | None = None
    name: str | None = None
    """Taken, without effect."""
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    annotations: Any = None
    audio: Any = None
    function_call: Any = None


Messages = Annotated[list[ChatMessage], Meta(min_length=1)]


def messages_of(messages: list[ChatMessage]) -> list[Message]:
    """Give the engine's messages. Raises `InvalidRequest`, which names the place."""
    names: dict[str, str] = {}
    found = []
    for at, message in enumerate(messages):
        found.append(_message(message, names, f"messages[{at}]"))
        names |= {call.id: call.function.name for call in message.tool_calls or ()}
    return found


def chars(messages: list[Message]) -> int:
    """Count what the model has to read: texts, and the arguments of calls."""
    calls = [call for message in messages for call in message.tool_calls]
    return sum(len(each.content) + len(each.thinking) for each in messages) + (
        len(msgspec.json.encode(calls)) if calls else 0
    )


def arguments_of(text: str, field: str) -> dict[str, Any]:
    """Give a call's arguments as an object. Raises `InvalidRequest`."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(
            f"{field}: it is not an object as JSON text", field=field, rule="an object as JSON text"
        ) from error


def image_of(url: str, field: str) -> str:
    """Give an image's base64, without a prefix. Raises `InvalidRequest`: nothing is fetched from anywhere."""
    prefix = _IMAGE.match(url)
    if prefix is None:
        raise refusal(field, url, "images are taken as data:image/...;base64, addresses; none is fetched")
    data = url[prefix.end() :]
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            f"{field}: its data is not base64", field=field, rule="base64 behind the comma"
        ) from error
    return data


def _message(message: ChatMessage, names: dict[str, str], field: str) -> Message:
    for name in ("audio", "function_call"):
        if (value := getattr(message, name)) is not None:
            raise refusal(f"{field}.{name}", value, "the engine has nothing like it")
    if message.role == "tool":
        return _tool_result(message, names, field)
    text, images = _content(message, field)
    if message.role != "assistant":
        return Message("system" if message.role == "developer" else message.role, text, images=images)
    return Message(
        "assistant",
        text or message.refusal or "",
        thinking=message.reasoning or message.reasoning_content or "",
        tool_calls=_calls(message.tool_calls or [], field),
    )


def _tool_result(message: ChatMessage, names: dict[str, str], field: str) -> Message:
    """Give what a tool found, under the name by which it was called."""
    if not message.tool_call_id:
        raise refusal(f"{field}.tool_call_id", None, "it is missing: the id of the call that this answers")
    text, images = _content(message, field)
    name = names.get(message.tool_call_id) or message.name or ""
    return Message("tool", text, images=images, tool_name=name, tool_call_id=message.tool_call_id)


def _content(message: ChatMessage, field: str) -> tuple[str, list[str]]:
    """Give a message's text and its images."""
    content = message.content
    if content is None:
        if message.role == "assistant":
            return "", []
        raise refusal(f"{field}.content", None, "it is missing")
    if isinstance(content, str):
        return content, []
    texts, images = [], []
    for at, part in enumerate(content):
        if isinstance(part, ImagePart):
            url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
            images.append(image_of(url, f"{field}.content[{at}].image_url"))
        else:
            texts.append(part.text if isinstance(part, TextPart) else part.refusal)
    return _BETWEEN_PARTS.join(texts), images


def _calls(calls: list[ToolCall], field: str) -> list[dict[str, Any]]:
    return [
        call_of(call.id, call.function.name, call.function.arguments, f"{field}.tool_calls[{at}].function")
        for at, call in enumerate(calls)
    ]


def call_of(id_: str, name: str, arguments: str, field: str) -> dict[str, Any]:
    """Give a call as the engine takes it. Raises `InvalidRequest`."""
    function = {"name": name, "arguments": arguments_of(arguments, f"{field}.arguments")}
    return {"id": id_, "function": function} if id_ else {"function": function}
