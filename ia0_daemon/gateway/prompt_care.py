"""How a prompt is laid before a model: what all requests share comes first, so that it is read once.

    model's system, key's system, request's system -> one system message -> the conversation

The engine keeps what it has read of a prompt and reads anew only behind the
first difference (its prefix cache). So the text that is equal for everybody
stands before the text of a key, and that before a request's own. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from ia0_daemon.engine.client import Question
from ia0_daemon.engine.messages import CHAT, Message
from ia0_daemon.settings.gateway_rules import PROMPT

if TYPE_CHECKING:
    from ia0_daemon.gateway.wanted import Wanted
    from ia0_daemon.settings.schema import ApiKey, Model

_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n(?: ?\n)* ?")
# Between two system texts.
_PARAGRAPH = "\n\n"


def question_of(wanted: Wanted, model: Model, key: ApiKey | None, request_id: str) -> Question:
    """Give what is asked of the engine for a request, if this model is to answer it."""
    messages, fields = wanted.messages, wanted.fields
    if wanted.is_careful:
        if wanted.path == CHAT:
            messages = laid(messages, model, key, single=wanted.is_single)
        else:
            fields = _laid_fields(fields, model, key, single=wanted.is_single)
    return Question(
        model,
        messages,
        wanted.options,
        may_resume=wanted.may_resume,
        request_id=request_id,
        path=wanted.path,
        fields=fields,
    )


def laid(messages: list[Message], model: Model, key: ApiKey | None, *, single: bool) -> list[Message]:
    """Give a conversation with the configured texts before it, as one system message.

    `single`: it is one prompt, which the model's template stands around.
    """
    system = _configured(model, key)
    rest = [_neat(message) for message in messages] if model.normalize_whitespace else list(messages)
    if single and model.template:
        rest[-1] = Message("user", model.template.replace(PROMPT, rest[-1].content))
    if not system:
        return rest
    if rest and rest[0].role == "system":
        system.append(rest.pop(0).content)
    return [Message("system", _PARAGRAPH.join(system)), *rest]


def normalized(text: str) -> str:
    """Give a text with single blanks, at most one blank line in a row, and nothing blank at its ends."""
    return _LINE_ENDS.sub(_line_end, _BLANKS.sub(" ", text)).strip()


def _line_end(found: re.Match[str]) -> str:
    return "\n" if found[0].count("\n") == 1 else _PARAGRAPH


def _laid_fields(fields: dict[str, Any], model: Model, key: ApiKey | None, *, single: bool) -> dict[str, Any]:
    """The same for `/api/generate`, whose texts are fields."""
    system = _configured(model, key)
    if own := fields.get("system"):
        system.append(own)
    laid_ = dict(fields)
    if system:
        laid_["system"] = _PARAGRAPH.join(system)
    if model.normalize_whitespace and "prompt" in fields:
        laid_["prompt"] = normalized(fields["prompt"])
    if single and model.template and "prompt" in laid_:
        laid_["prompt"] = model.template.replace(PROMPT, laid_["prompt"])
    return laid_


def _configured(model: Model, key: ApiKey | None) -> list[str]:
    texts = (model.system, key.system if key is not None else "")
    return [text for text in texts if text]


def _neat(message: Message) -> Message:
    """An assistant's own words are not touched: what it wrote is what it goes on from."""
    if message.role not in ("user", "system"):
        return message
    return msgspec.structs.replace(message, content=normalized(message.content))
