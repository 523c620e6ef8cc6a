"""The fields that Ollama's requests for text share, and what becomes of them.

Owns their types and rules. Pure, but for the headers that it is shown.

    common fields -> checked -> what the engine's body has beside prompt and options
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.body import check_media_type, short
from ia0_daemon.gateway.routes.ollama_options import Options
from ia0_daemon.settings.units import KeepAlive, go_duration

if TYPE_CHECKING:
    from flask import Request

    from ia0_daemon.settings.schema import Limits

# What `curl -d` says, as in Ollama's own examples; Ollama looks at no media type at all.
_CURL = "application/x-www-form-urlencoded"


class TextRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What `/api/chat` and `/api/generate` have in common; `null` is the same as left out."""

    model: str | None = None
    """A public name, an alias or an engine's tag; none, or `auto`, leaves the choice to the daemon."""
    stream: bool | None = True
    format: Literal["", "json"] | dict[str, Any] | None = None
    """`json`, or a JSON schema that the answer has to follow."""
    options: Options | None = None
    keep_alive: float | str | None = None
    """Its form is checked; the daemon decides how long a model stays. 0 without a prompt unloads it."""
    think: bool | Literal["high", "medium", "low", "max"] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncate: bool | None = False
    """Whether a prompt that does not fit may be shortened; other than in Ollama it may not, unless said."""
    shift: bool | None = None
    """`true` would load the model again, for everybody; see `limits.runner_options`."""
    resume: bool | None = True
    """Not Ollama's: whether a stream that a restart cuts goes on from what was written."""
    cache: bool | None = None
    """Not Ollama's: whether the answer may be kept; none: where it is determined."""

    @property
    def is_streamed(self) -> bool:
        """Whether lines are asked for, as they are where nothing is said."""
        return self.stream is not False

    @property
    def is_plain(self) -> bool:
        """Whether the answer is nothing but text, so that it can go on from a part of it."""
        return not (self.format or self.think or self.logprobs or self.top_logprobs)

    def engine_fields(self) -> dict[str, Any]:
        """Give what the engine's body says beside prompt and options."""
        names = ("format", "logprobs", "top_logprobs")
        said = {name: value for name in names if (value := getattr(self, name))}
        return said if self.think is None else said | {"think": self.think}


def check_common(request: TextRequest, limits: Limits) -> None:
    """Hold a request to what the struct cannot say. Raises `InvalidRequest`."""
    seconds_of(request.keep_alive)
    if request.shift and limits.runner_options == "refuse":
        raise InvalidRequest(
            "shift: true drops the oldest half of a full context in silence, and a change of it loads the "
            "model again for everybody; leave it out (with limits.runner_options = strip it is ignored)",
            field="shift",
            value=True,
            rule="false, or nothing",
            setting="limits.runner_options",
        )


def seconds_of(keep_alive: float | str | None) -> float | None:
    """Give a `keep_alive` in seconds, none where nothing is said. Raises `InvalidRequest`."""
    if not isinstance(keep_alive, str):
        return keep_alive
    try:
        said = KeepAlive.parse(keep_alive).wire()
        return float(said) if isinstance(said, int) else go_duration(said)
    except ValueError:
        raise InvalidRequest(
            f"keep_alive: it is not {KeepAlive.rule}",
            field="keep_alive",
            value=short(keep_alive),
            rule=KeepAlive.rule,
        ) from None


def unloads(keep_alive: float | str | None) -> bool:
    """Say whether a request without a prompt wants the model gone."""
    return seconds_of(keep_alive) == 0


def check_body_kind(http: Request) -> None:
    """Take JSON, and what `curl -d` calls a form where no browser says so. Raises `UnsupportedMediaType`.

    A page of any site can have a browser post a form here, but its request then bears `Origin`.
    """
    if http.mimetype in ("", _CURL) and "Origin" not in http.headers and not http.content_encoding:
        return
    check_media_type(http)
