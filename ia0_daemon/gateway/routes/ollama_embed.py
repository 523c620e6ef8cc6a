"""`POST /api/embed` and the older `/api/embeddings`: texts in, vectors out.

    body -> checked -> errand.py -> the engine's body, under the name that was asked for

The vectors are not read: they go out as the bytes that came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from flask import Response
from msgspec import Meta

from ia0_daemon.engine.messages import EMBED
from ia0_daemon.errors import EngineError
from ia0_daemon.gateway import respond
from ia0_daemon.gateway.body import BodyReader
from ia0_daemon.gateway.errand import errand
from ia0_daemon.gateway.guards import check_prompt
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.ollama_answers import EmbedAnswer, EmbeddingsAnswer
from ia0_daemon.gateway.routes.ollama_fields import check_body_kind, seconds_of
from ia0_daemon.gateway.routes.ollama_lines import named
from ia0_daemon.gateway.routes.ollama_options import Options, for_vectors

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Limits


class EmbedRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /api/embed`; `null` is the same as left out."""

    input: str | list[str] | None = None
    model: str | None = None
    truncate: bool | None = False
    """Whether a text that does not fit may be cut; other than in Ollama it may not, unless said."""
    dimensions: Annotated[int, Meta(ge=0)] | None = None
    options: Options | None = None
    keep_alive: float | str | None = None


class EmbeddingsRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /api/embeddings`; `null` is the same as left out."""

    prompt: str | None = None
    model: str | None = None
    options: Options | None = None
    keep_alive: float | str | None = None


class _Vectors(msgspec.Struct, omit_defaults=True):
    """The engine's answer."""

    model: str
    embeddings: msgspec.Raw = msgspec.Raw(b"[]")
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0


class _VectorsOnly(msgspec.Struct):
    embeddings: list[msgspec.Raw] = []


T = TypeVar("T")
_embed_reader, _embeddings_reader = BodyReader(EmbedRequest), BodyReader(EmbeddingsRequest)


def embed(visit: Visit) -> Response:
    """Answer `/api/embed`."""
    check_body_kind(visit.http)
    request = _embed_reader.read(visit.http.get_data(cache=False))
    said: dict[str, Any] = {"input": request.input or [], "truncate": bool(request.truncate)}
    said |= {"dimensions": request.dimensions} if request.dimensions else {}
    vectors = _decoded(_asked(visit, request, said, "input"), _Vectors)
    vectors.model = named(visit.call)
    return _answered(visit, vectors)


def embeddings(visit: Visit) -> Response:
    """Answer `/api/embeddings`: one text, one vector."""
    check_body_kind(visit.http)
    request = _embeddings_reader.read(visit.http.get_data(cache=False))
    said = {"input": [request.prompt] if request.prompt else [], "truncate": False}
    found = _decoded(_asked(visit, request, said, "prompt"), _VectorsOnly).embeddings
    return _answered(visit, {"embedding": found[0] if found else []})


def _asked(
    visit: Visit, request: EmbedRequest | EmbeddingsRequest, said: dict[str, Any], field: str
) -> bytes:
    limits = visit.live.settings.limits
    seconds_of(request.keep_alive)
    _check_texts(said["input"], limits, field)
    return errand(visit, request.model, EMBED, {**said, "options": for_vectors(request.options, limits)})[1]


def _check_texts(texts: str | list[str], limits: Limits, field: str) -> None:
    """Hold each text to the bound; how many there are is bounded by the body's size."""
    longest = len(texts) if isinstance(texts, str) else max(map(len, texts), default=0)
    check_prompt(longest, limits, field)


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the engine's answer is not what Ollama's API says: {error}") from error


def _answered(visit: Visit, said: object) -> Response:
    return Response(encode(said), mimetype="application/json", headers=respond.headers(visit.call))


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/embed",
        handle=embed,
        summary="Have texts as vectors, as Ollama gives them.",
        tag="Ollama",
        takes=EmbedRequest,
        gives=EmbedAnswer,
        is_limited=True,
        examples=({"input": ["Paris", "Rome"]},),
    ),
    Operation(
        method="POST",
        path="/api/embeddings",
        handle=embeddings,
        summary="Have one text as a vector; Ollama's older form.",
        tag="Ollama",
        takes=EmbeddingsRequest,
        gives=EmbeddingsAnswer,
        is_limited=True,
        examples=({"prompt": "Paris"},),
    ),
)
