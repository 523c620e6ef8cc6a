"""`POST /v1/completions`: the older route, one prompt.

body -> CompletionRequest -> Wanted -> answer.py -> one object, or chunks (openai_chunks.py)

A prompt without a suffix is asked as a conversation of one message, which the
engine's generate path would make of it, too; so its stream can go on after a
cut. Only with a suffix the generate path is taken: nothing else fills a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ia0_daemon.engine.messages import CHAT, GENERATE, Message
from ia0_daemon.gateway.answer import answer
from ia0_daemon.gateway.body import BodyReader, check_media_type
from ia0_daemon.gateway.guards import check_prompt, token_bound
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.openai_answers import (
    FinishReason,
    Usage,
    finish_reason,
    notes,
    usage,
)
from ia0_daemon.gateway.routes.openai_chunks import END, Chunk, ChunkShape
from ia0_daemon.gateway.routes.openai_fields import (
    Refusals,
    SamplingFields,
    StreamOptions,
    Tokens,
    TopLogprobs,
    options_of,
    refusal,
    refuse,
)
from ia0_daemon.gateway.wanted import SSE, Result, Wanted

if TYPE_CHECKING:
    from flask import Response

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.settings.schema import Limits


class CompletionRequest(SamplingFields, frozen=True, kw_only=True):
    """The body of `POST /v1/completions`."""

    prompt: str | Annotated[list[str | int | list[int]], Meta(min_length=1)]
    """A text, or a list of one; tokens are refused."""
    suffix: str | None = None
    """What stands behind the gap that is to be filled; the model must be able to."""
    max_tokens: Tokens | None = None
    stream_options: StreamOptions | None = None
    logprobs: TopLogprobs | None = None
    """How many other tokens are told beside each; 0: the chosen ones alone."""
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None
    logit_bias: dict[str, float] | None = None


REFUSED: Refusals = {
    "n": ((1,), "one answer is given for a request; ask again for another one"),
    "best_of": ((1,), "one answer is made for a request"),
    "echo": ((False,), "the prompt is not repeated; put it before the answer yourself"),
    "logit_bias": (({},), "the engine cannot favour single tokens"),
}
_reader = BodyReader(CompletionRequest)


def complete(visit: Visit) -> Response:
    """Answer one request."""
    check_media_type(visit.http)
    request = _reader.read(visit.http.get_data(cache=False))
    wanted = wanted_of(request, visit.live.settings.limits)
    options = request.stream_options
    with_usage = options is not None and bool(options.include_usage)
    return answer(visit, wanted, CompletionShape(visit.live, with_usage=with_usage))


def wanted_of(request: CompletionRequest, limits: Limits) -> Wanted:
    """Give what a body asks for. Raises `InvalidRequest`."""
    refuse(request, REFUSED)
    prompt = _prompt(request.prompt)
    check_prompt(len(prompt) + len(request.suffix or ""), limits, "prompt")
    fields: dict[str, Any] = {}
    if request.suffix:
        fields = {"prompt": prompt, "suffix": request.suffix}
    if request.logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": request.logprobs}
    return Wanted(
        model=request.model,
        messages=[] if request.suffix else [Message("user", prompt)],
        options=options_of(request, token_bound(request.max_tokens, limits, "max_tokens")),
        stream=bool(request.stream),
        path=GENERATE if request.suffix else CHAT,
        fields=fields,
        may_resume=request.resume is not False and not fields,
        truncate=bool(request.truncate),
        cache=request.cache,
        is_single=True,
        is_careful=not request.suffix,
    )


def _prompt(prompt: str | list[Any]) -> str:
    """Give the one prompt. Raises `InvalidRequest`."""
    if isinstance(prompt, list):
        if not all(isinstance(each, str) for each in prompt):
            raise refusal("prompt", prompt[:1], "tokens are not taken; send the text")
        if len(prompt) > 1:
            raise refusal("prompt", len(prompt), "one prompt a request; ask once for each")
        prompt = str(prompt[0])
    if not prompt.strip():
        raise refusal("prompt", prompt, "not blank")
    return prompt


class TextLogprobs(msgspec.Struct):
    """Of each token, in the older form: lists that run beside each other."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(msgspec.Struct):
    """The one answer."""

    text: str
    finish_reason: FinishReason | None
    logprobs: TextLogprobs | None = None
    index: int = 0


class Completion(msgspec.Struct):
    """A whole answer."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChoice]
    usage: Usage
    ia0: dict[str, Any]


class CompletionChunk(Chunk):
    """A message of a stream."""

    object: Literal["text_completion"]
    choices: list[TextChoice]


class CompletionShape(ChunkShape):
    """Answers as one object, or in chunks."""

    id_prefix, kind = "cmpl-", "text_completion"
    before = b'{"index":0,"text":'
    behind = b',"logprobs":null,"finish_reason":null}'
    _chars = 0

    def whole(self, call: Call, result: Result) -> bytes:
        """Write a whole answer."""
        choice = TextChoice(result.text, finish_reason(result), self._logprobs(result.logprobs))
        identity = self.identity(call, self.kind)
        return encode(Completion(**identity, choices=[choice], usage=usage(call), ia0=notes(call)))

    def rare(self, line: ChatLine) -> bytes:
        """Write a line of the generate path, or one with logprobs; what is thought has no place here."""
        return encode(TextChoice(line.text, None, self._logprobs(line.logprobs)))

    def finish(self, reason: str) -> bytes:
        """Write an empty text with the reason."""
        return b'{"index":0,"text":"","logprobs":null,"finish_reason":"%s"}' % reason.encode()

    def _logprobs(self, found: list[dict[str, Any]] | None) -> TextLogprobs | None:
        if not found:
            return None
        told = TextLogprobs([], [], [], [])
        for each in found:
            told.tokens.append(each["token"])
            told.token_logprobs.append(each["logprob"])
            told.top_logprobs.append(
                {other["token"]: other["logprob"] for other in each.get("top_logprobs", ())}
            )
            told.text_offset.append(self._chars)
            self._chars += len(each["token"])
        return told


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/completions",
        handle=complete,
        summary="Answer one prompt, as OpenAI's older completions do.",
        tag="OpenAI",
        takes=CompletionRequest,
        gives=Completion,
        streams=SSE,
        stream_gives=(CompletionChunk,),
        stream_end=END,
        is_limited=True,
        examples=({"model": "qwen2-7b", "prompt": "The capital of France is", "max_tokens": 10},),
    ),
)
