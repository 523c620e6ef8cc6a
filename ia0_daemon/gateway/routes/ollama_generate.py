"""`POST /api/generate`: a prompt in, a text out, as Ollama's clients ask for it.

    body -> GenerateRequest -> Wanted -> answer.py -> one object, or NDJSON lines (the default)

It goes the engine's own `/api/generate`, since `context`, `suffix`, `template`
and `raw` are there alone. That one cannot go on from a part of an answer, so a
stream that a restart cuts ends with an error here; `/api/chat`'s goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ia0_daemon.engine.messages import GENERATE
from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.answer import answer
from ia0_daemon.gateway.body import BodyReader
from ia0_daemon.gateway.guards import check_prompt
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.routes.ollama_answers import GenerateAnswer, GeneratePiece
from ia0_daemon.gateway.routes.ollama_fields import TextRequest, check_body_kind, check_common
from ia0_daemon.gateway.routes.ollama_lines import GenerateShape
from ia0_daemon.gateway.routes.ollama_load import GENERATE_PART, load_or_unload
from ia0_daemon.gateway.routes.ollama_options import Int, sampling
from ia0_daemon.gateway.wanted import NDJSON, Wanted

if TYPE_CHECKING:
    from flask import Response

    from ia0_daemon.settings.schema import Limits

_OF_THE_ENGINE = ("suffix", "system", "template", "context", "raw", "images")


class GenerateRequest(TextRequest, frozen=True, kw_only=True):
    """The body of `POST /api/generate`."""

    prompt: str | None = None
    """None, or an empty one, loads the model."""
    suffix: str | None = None
    """What stands behind the text that is asked for; of models that can insert."""
    system: str | None = None
    template: str | None = None
    """In place of the model's own."""
    context: list[Int] | None = None
    """What an answer before this one gave."""
    raw: bool | None = None
    """Whether the prompt goes to the model as it is: no template, and none of the configuration's texts."""
    images: list[str] | None = None
    """In base64."""


_reader = BodyReader(GenerateRequest)


def generate(visit: Visit) -> Response:
    """Answer one request."""
    check_body_kind(visit.http)
    request = _reader.read(visit.http.get_data(cache=False))
    limits = visit.live.settings.limits
    check_common(request, limits)
    if not request.prompt:
        return load_or_unload(visit, request, GENERATE_PART)
    return answer(visit, wanted_of(request, limits), GenerateShape())


def wanted_of(request: GenerateRequest, limits: Limits) -> Wanted:
    """Give what a body asks for. Raises `InvalidRequest`."""
    _check(request, limits)
    said: dict[str, Any] = {"prompt": request.prompt, **request.engine_fields()}
    said |= {name: value for name in _OF_THE_ENGINE if (value := getattr(request, name))}
    return Wanted(
        model=request.model,
        messages=[],
        options=sampling(request.options, limits),
        stream=request.is_streamed,
        path=GENERATE,
        fields=said,
        may_resume=False,
        truncate=bool(request.truncate),
        cache=request.cache,
        is_single=not (request.context or request.template),
        is_careful=not (request.raw or request.suffix),
    )


def _check(request: GenerateRequest, limits: Limits) -> None:
    texts = (request.prompt, request.system, request.template, request.suffix)
    check_prompt(sum(len(text) for text in texts if text), limits, "prompt")
    if request.raw and (request.template or request.system or request.context):
        raise InvalidRequest(
            "raw: it goes to the model as it is, so there is no template, system or context with it",
            field="raw",
            value=True,
            rule="alone, or with none of template, system, context",
        )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/generate",
        handle=generate,
        summary="Ask for text, as Ollama does.",
        tag="Ollama",
        takes=GenerateRequest,
        gives=GenerateAnswer,
        streams=NDJSON,
        stream_gives=(GeneratePiece, GenerateAnswer),
        is_limited=True,
        examples=(
            {"prompt": "What is the capital of France?", "options": {"num_predict": 30}, "stream": False},
        ),
    ),
)
