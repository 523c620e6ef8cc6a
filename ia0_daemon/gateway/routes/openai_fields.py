"""What the bodies of the `/v1` routes have in common: how to sample, our own fields, labels, and refusals.

Owns these fields and the one way in which a field that cannot be honoured is
refused. What changes the answer and cannot be honoured is an error; what only
labels a request is taken. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.body import short
from ia0_daemon.gateway.validate import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Tokens = Annotated[int, Meta(ge=1)]
Stops = Stop | Annotated[list[Stop], Meta(max_length=16)]
# What the engine gives at most [ollama.md, "API"].
TopLogprobs = Annotated[int, Meta(ge=0, le=20)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
# What the engine calls them; a model that can only think or not takes any of the words for yes.
_EFFORTS: dict[str, str | bool] = {"none": False, "minimal": "low", "xhigh": "max"}

# By field: values that say nothing beside `null`, and the rule that any other breaks.
Refusals = dict[str, tuple[tuple[object, ...], str]]


class Labels(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What only labels a request, or says how OpenAI's own service is to run it: taken, without effect."""

    user: str | None = None
    metadata: Any = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Any = None


class TextFields(Labels, frozen=True, kw_only=True):
    """What every route for text takes: the model, sampling, and IA-0's own fields."""

    model: str | None = None
    """A public name, an alias or an engine's tag; none, or `auto`, leaves the choice to the daemon."""
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    truncate: bool | None = None
    """IA-0's: whether a prompt that does not fit may be shortened; the answer says so."""
    cache: bool | None = None
    """IA-0's: whether the answer may be kept, or taken from those kept; none: where it is determined."""
    resume: bool | None = None
    """IA-0's: whether a stream that a restart cuts goes on from what was written (unless false)."""


class SamplingFields(TextFields, frozen=True, kw_only=True):
    """What chat and completions take beside."""

    stop: Stops | None = None
    seed: Seed | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a stream is written."""

    include_usage: bool | None = None
    """Whether a last chunk tells the tokens."""
    include_obfuscation: bool | None = None
    """Taken, without effect: nothing is added to the chunks."""


def options_of(request: TextFields, num_predict: int) -> dict[str, Any]:
    """Give the sampling options under the engine's names; what is left out is the model's own default."""
    said: dict[str, Any] = {"num_predict": num_predict}
    for name in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
        value = getattr(request, name, None)
        if value is not None:
            said[name] = value
    stop = getattr(request, "stop", None)
    if stop is not None:
        said["stop"] = [stop] if isinstance(stop, str) else stop
    return said


def think_of(effort: Effort) -> str | bool:
    """Give what the engine calls an effort of thinking."""
    return _EFFORTS.get(effort, effort)


def refuse(request: msgspec.Struct, refusals: Refusals) -> None:
    """Raise `InvalidRequest` for the first field that says what cannot be honoured."""
    for name, (harmless, rule) in refusals.items():
        value = getattr(request, name)
        if value is not None and value not in harmless:
            raise refusal(name, value, rule)


def refusal(field: str, value: object, rule: str) -> InvalidRequest:
    """Make the error of one field."""
    return InvalidRequest(f"{field}: {rule}", field=field, value=short(value), rule=rule)


class JsonSchema(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A schema that the answer follows."""

    name: str | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None
    """Taken, without effect: the engine holds the answer to every schema that it can follow."""


def schema_format(schema: Mapping[str, Any] | None, field: str) -> Mapping[str, Any]:
    """Give the engine's `format` for a schema."""
    if not schema:
        raise refusal(field, schema, "it is missing: a JSON schema is expected")
    return schema


def tool_of(name: str, description: str | None, parameters: dict[str, Any] | None) -> dict[str, Any]:
    """Give a tool as the engine takes it."""
    function: dict[str, Any] = {"name": name, "parameters": parameters or _NOTHING}
    if description:
        function["description"] = description
    return {"type": "function", "function": function}


_NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
TOOL_CHOICE_RULE = (
    'the engine cannot be made to call a tool: "auto" and "none" are taken '
    "(for an answer of a certain form ask for a JSON schema)"
)


def tools_of(tools: list[dict[str, Any]], choice: object, *, parallel: bool | None) -> list[dict[str, Any]]:
    """Give the tools that the engine is told of. Raises `InvalidRequest` for a choice it cannot follow."""
    if choice not in (None, "auto", "none"):
        raise refusal("tool_choice", choice, TOOL_CHOICE_RULE)
    if tools and parallel is False:
        rule = "the engine cannot be held to one call at a time; leave it out, and look at how many come"
        raise refusal("parallel_tool_calls", parallel, rule)
    return [] if choice == "none" else tools
