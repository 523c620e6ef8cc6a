"""`POST /v1/embeddings`: texts as vectors.

body -> EmbeddingRequest -> errand.py -> numbers, or their bytes in base64
"""

from __future__ import annotations

import base64
import sys
from array import array
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response
from msgspec import Meta

from ia0_daemon.engine.messages import EMBED
from ia0_daemon.errors import EngineError
from ia0_daemon.gateway import respond
from ia0_daemon.gateway.body import BodyReader, check_media_type
from ia0_daemon.gateway.errand import errand
from ia0_daemon.gateway.guards import check_prompt
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.routes.openai_fields import Labels, refusal

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Limits

# OpenAI's own bound.
MOST_TEXTS = 2048


class EmbeddingRequest(Labels, frozen=True, kw_only=True):
    """The body of `POST /v1/embeddings`."""

    input: str | Annotated[list[str | int | list[int]], Meta(min_length=1, max_length=MOST_TEXTS)]
    """A text, or several; tokens are refused."""
    model: str | None = None
    """As everywhere, but that `auto` is the default model: vectors of two models cannot be compared."""
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    """To how many numbers each vector is cut."""


class Embedding(msgspec.Struct):
    """One text's vector."""

    index: int
    embedding: list[float] | str
    object: str = "embedding"


class EmbeddingUsage(msgspec.Struct):
    """The tokens of all texts."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(msgspec.Struct):
    """The vectors, in the order of the texts."""

    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    object: str = "list"


class _Vectors(msgspec.Struct):
    """What the engine answers."""

    embeddings: list[list[float]]


_reader = BodyReader(EmbeddingRequest)
_vectors = msgspec.json.Decoder(_Vectors).decode


def embed(visit: Visit) -> Response:
    """Answer one request."""
    check_media_type(visit.http)
    request = _reader.read(visit.http.get_data(cache=False))
    texts = texts_of(request, visit.live.settings.limits)
    fields: dict[str, Any] = {"input": texts}
    if request.dimensions is not None:
        fields["dimensions"] = request.dimensions
    model, body = errand(visit, request.model, EMBED, fields)
    write = _as_base64 if request.encoding_format == "base64" else list
    found = [Embedding(at, write(vector)) for at, vector in enumerate(_read(body, len(texts)))]
    tokens = visit.call.prompt_tokens
    response = Response(
        respond.encode(Embeddings(found, model.name, EmbeddingUsage(tokens, tokens))),
        mimetype="application/json",
    )
    response.headers.update(respond.headers(visit.call))
    return response


def texts_of(request: EmbeddingRequest, limits: Limits) -> list[str]:
    """Give the texts; each is held to the bound of a prompt. Raises `InvalidRequest`."""
    given = [request.input] if isinstance(request.input, str) else request.input
    texts = [each for each in given if isinstance(each, str)]
    if len(texts) < len(given):
        rule = "tokens are not taken; send texts (LangChain: check_embedding_ctx_length=False)"
        raise refusal("input", given[:1], rule)
    for at, text in enumerate(texts):
        field = "input" if isinstance(request.input, str) else f"input[{at}]"
        if not text:
            raise refusal(field, "", "not empty")
        check_prompt(len(text), limits, field)
    return texts


def _read(body: bytes, number: int) -> list[list[float]]:
    """Give the engine's vectors, one for each text."""
    try:
        vectors = _vectors(body).embeddings
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the engine's answer is not what Ollama's API says: {error}") from error
    if len(vectors) != number:
        raise EngineError(f"the engine gave {len(vectors)} vectors for {number} texts")
    return vectors


def _as_base64(vector: list[float]) -> str:
    """Write 32-bit numbers, the low byte first, as OpenAI does."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/embeddings",
        handle=embed,
        summary="Give texts as vectors, as OpenAI's embeddings do.",
        tag="OpenAI",
        takes=EmbeddingRequest,
        gives=Embeddings,
        is_limited=True,
        examples=({"model": "qwen2-7b", "input": ["Good morning", "Bom dia"]},),
    ),
)
