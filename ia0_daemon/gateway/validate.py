"""What a request to `/llm/generate` may say: types, ranges, and nothing that is not known.

Owns the rules of the body. Pure: bytes in, a request out, or an error that
names the field, its value and the rule.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from ia0_daemon.errors import InvalidRequest

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Limits

# How much of a wrong value, or of an unknown name, an error repeats, in characters.
_SHOWN_CHARS = 200

# msgspec names the object, not the field, where a field is unknown; the name can be any text.
_MISSING = re.compile(r"Object missing required field (.*)")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.(params)`)?", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Stop = Annotated[str, Meta(min_length=1, max_length=256)]


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How to sample; what is left out is the model's own default. `null` is the same as left out."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=16)] | None = None
    repeat_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None

    def options(self, limits: Limits) -> dict[str, Any]:
        """Give the parameters under the engine's names; no `max_tokens` means the most that is allowed."""
        said: dict[str, Any] = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None
        }
        said["num_predict"] = said.pop("max_tokens", limits.max_tokens)
        if isinstance(self.stop, str):
            said["stop"] = [self.stop]
        return said


class GenerateRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /llm/generate`."""

    prompt: str
    model: str | None = None
    """A public name or an alias; none, or `auto`, leaves the choice to the daemon."""
    system: str | None = None
    params: Params | None = None
    stream: bool = False
    resume: bool = True
    """Whether a stream that a restart cuts goes on from what was written, or ends with an error."""


_decoder = msgspec.json.Decoder(GenerateRequest)


def generate_request(body: bytes, limits: Limits) -> GenerateRequest:
    """Read and check one body. Raises `InvalidRequest`."""
    request = _decode(body)
    _check_prompt(request, limits)
    _check_max_tokens(request, limits)
    return request


def _decode(body: bytes) -> GenerateRequest:
    if not body:
        raise InvalidRequest("the request has no body; a JSON object with a 'prompt' is expected")
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _broken_rule(str(error), body) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON in UTF-8: {error}") from error


def _check_prompt(request: GenerateRequest, limits: Limits) -> None:
    if not request.prompt.strip():
        raise InvalidRequest(
            "prompt: it is empty or blank", field="prompt", value=_short(request.prompt), rule="not blank"
        )
    chars = len(request.prompt) + len(request.system or "")
    if chars > limits.max_prompt_chars:
        raise InvalidRequest(
            f"prompt: {chars} characters, system text included; limits.max_prompt_chars allows "
            f"{limits.max_prompt_chars}",
            field="prompt",
            value=chars,
            limit=limits.max_prompt_chars,
            setting="limits.max_prompt_chars",
        )


def _check_max_tokens(request: GenerateRequest, limits: Limits) -> None:
    wanted = request.params.max_tokens if request.params else None
    if wanted is not None and wanted > limits.max_tokens:
        raise InvalidRequest(
            f"params.max_tokens: {wanted} is more than limits.max_tokens (MAX_TOKENS) allows, "
            f"which is {limits.max_tokens}",
            field="params.max_tokens",
            value=wanted,
            rule=f"at most {limits.max_tokens}",
            limit=limits.max_tokens,
            setting="limits.max_tokens",
        )


def _broken_rule(message: str, body: bytes) -> InvalidRequest:
    """Turn msgspec's sentence into ours: field, rule, value.

    A value that is a text stands in the details alone: the sentence is logged, and prompts must not be.
    """
    unknown = _UNKNOWN.fullmatch(message)
    if unknown:
        return _unknown_field(unknown[1], unknown[2] or "", body)
    rule, _, path = message.removesuffix("`").partition(" - at `$")
    rule, field = rule.replace("`", "").replace(" | null", ""), path.removeprefix(".")
    missing = _MISSING.fullmatch(rule)
    if missing:
        field = f"{field}.{missing[1]}" if field else missing[1]
        return InvalidRequest(f"{field}: it is missing", field=field, rule="it is required")
    if not field:
        return InvalidRequest(f"the body breaks a rule: {rule}", rule=rule)
    value = _value_at(body, _steps(field))
    said = f"; it is {value}" if isinstance(value, int | float) else ""
    return InvalidRequest(f"{field}: {rule}{said}", field=field, value=_short(value), rule=rule)


def _unknown_field(name: str, parent: str, body: bytes) -> InvalidRequest:
    known = ", ".join((Params if parent else GenerateRequest).__struct_fields__)
    rule = f"unknown field; known here: {known}"
    value = _short(_value_at(body, [*_steps(parent), name]))
    field = f"{parent}.{name}"[:_SHOWN_CHARS] if parent else name[:_SHOWN_CHARS]
    return InvalidRequest(f"{field}: {rule}", field=field, value=value, rule=rule)


def _steps(field: str) -> list[str | int]:
    return [int(index) if index else name for name, index in _STEP.findall(field)]


def _value_at(body: bytes, steps: list[str | int]) -> Any:
    """Give what stands there; nothing where the rest of the body cannot be read."""
    try:
        found = msgspec.json.decode(body)
        for step in steps:
            found = found[step]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return None
    return found


def _short(value: object) -> object:
    """Give a number, a truth value or a short text as it is; of anything longer, its beginning as a text."""
    text = msgspec.json.encode(value).decode()
    if len(text) > _SHOWN_CHARS:
        return f"{text[:_SHOWN_CHARS]}..."
    return value if isinstance(value, str | int | float | None) else text
