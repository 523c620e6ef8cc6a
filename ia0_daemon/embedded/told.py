"""What the log tells of each answer: that it was begun, from what it went on, and how it ended.

    told(pieces, context) -> the same pieces;   begun, then finished | cut | failed | without an end

Owns these lines; the tests hold them against what callers and daemon say. They
name texts by their digests alone, and the white space that they begin with: a log is not the
place for what people ask.
An end is told before the last piece goes out, so who has the whole answer finds
its end here. A process that is killed tells none.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from urllib.parse import quote

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.failures import Cancelled, EngineFailure

_log = logging.getLogger(__name__)


def told(pieces: Iterator[Piece], context: Context) -> Iterator[Piece]:
    """Give the pieces, and tell of the answer that they make."""
    request, texts, ended = context.request_id or "-", list[str](), False
    _log.info("answer begun request=%s", request)
    try:
        for piece in pieces:
            texts.append(piece.content)
            if piece.done_reason:
                ended = True
                _tell_finished(request, piece, "".join(texts))
            yield piece
    except (Cancelled, GeneratorExit):
        if not ended:
            _log.info("answer cut request=%s pieces=%d", request, len(texts))
        raise
    except EngineFailure as failure:
        _log.info("answer failed request=%s pieces=%d error=%r", request, len(texts), str(failure))
        raise
    if not ended:
        _log.info("answer without an end request=%s pieces=%d", request, len(texts))


def _tell_finished(request: str, last: Piece, text: str) -> None:
    blank = text[: len(text) - len(text.lstrip())]
    _log.info(
        "answer finished request=%s tokens=%d reason=%s blank=%s text=%s",
        request,
        last.metrics.get("eval_count", 0),
        last.done_reason,
        quote(blank),
        digest(text),
    )


def tell_prefill(written: str, context: Context) -> None:
    """Tell from what an answer goes on."""
    _log.info("answer goes on request=%s from=%s", context.request_id or "-", digest(written))


def digest(text: str) -> str:
    """Name a text. White space around it does not count: at a seam it may stand on either side."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]
