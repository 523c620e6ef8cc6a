"""What a request to `/llm/generate` may say: types, ranges, and nothing that is not known.

Owns the rules of the body. Pure: bytes in, a request out, or an error that
names the field, its value and the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.body import BodyReader, short
from ia0_daemon.gateway.guards import check_prompt, token_bound

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Limits

Stop = Annotated[str, Meta(min_length=1, max_length=256)]


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How to sample; what is left out is the model's own default. `null` is the same as left out."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    """Most tokens of the answer; `limits.max_tokens` is the most that may be said, and what none means."""
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    """With the same seed the same request has the same answer."""
    stop: Stop | Annotated[list[Stop], Meta(max_length=16)] | None = None
    """Texts before which the answer ends."""
    repeat_penalty: Annotated[float, Meta(ge=0.01, le=2)] | None = None
    """The engine divides by it, in numbers of 32 bits: 0, and what is next to it, is an error there."""
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None

    def options(self, limits: Limits) -> dict[str, Any]:
        """Give the parameters under the engine's names; no `max_tokens` means the most that is allowed."""
        said: dict[str, Any] = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None
        }
        said["num_predict"] = token_bound(said.pop("max_tokens", None), limits, "params.max_tokens")
        if isinstance(self.stop, str):
            said["stop"] = [self.stop]
        return said


class GenerateRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /llm/generate`."""

    prompt: str
    """What is asked; not blank, and with `system` at most `limits.max_prompt_chars` characters."""
    model: str | None = None
    """A public name or an alias; none, or `auto`, leaves the choice to the daemon."""
    system: str | None = None
    """What the model is told before the prompt."""
    params: Params | None = None
    stream: bool = False
    """Whether the answer comes in pieces while it is written."""
    resume: bool = True
    """Whether a stream that a restart cuts goes on from what was written, or ends with an error."""
    truncate: bool = False
    """Whether a prompt that does not fit the model's context may be shortened; the answer says so."""
    cache: bool | None = None
    """Whether the answer may be kept, or taken from those kept; none: where it is determined."""


_reader = BodyReader(GenerateRequest)
_NO_PARAMS = Params()


def generate_request(body: bytes, limits: Limits) -> GenerateRequest:
    """Read and check one body. Raises `InvalidRequest`."""
    request = _reader.read(body)
    if not request.prompt.strip():
        raise InvalidRequest(
            "prompt: it is empty or blank", field="prompt", value=short(request.prompt), rule="not blank"
        )
    check_prompt(len(request.prompt) + len(request.system or ""), limits, "prompt")
    token_bound(request.params.max_tokens if request.params else None, limits, "params.max_tokens")
    return request


def options_of(request: GenerateRequest, limits: Limits) -> dict[str, Any]:
    """Give the sampling options of a request. Raises `InvalidRequest`."""
    return (request.params or _NO_PARAMS).options(limits)
