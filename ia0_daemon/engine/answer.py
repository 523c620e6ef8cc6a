"""One answer of the engine while it is written: its lines, its end, and what is said of it meanwhile.

Owns the reading of one exchange. Never asks anything itself.

    Answer.pieces() -> the lines of one read ... -> last, with the figures -> close()
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from ia0_daemon.engine import failures
from ia0_daemon.engine.messages import ChatLine
from ia0_daemon.engine.wire import EngineCut
from ia0_daemon.errors import AnswerAborted, EngineError, EngineInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ia0_daemon.engine.patience import Patience
    from ia0_daemon.engine.progress import Progress
    from ia0_daemon.engine.wire import Exchange
    from ia0_daemon.errors import ServiceError

# How long the end of a body may take once the answer is complete, in seconds; then the connection is cut.
END_S = 0.5
# Ollama ends a stream without a word behind so many equal tokens, blanks apart [ollama.md, "Errors"].
MOST_REPEATS = 30


class Answer:
    """An answer under way. Close it: that frees the engine if it is not complete."""

    def __init__(
        self,
        exchange: Exchange,
        tag: str,
        patience: Patience,
        silence_s: float,
        failed: Callable[[], None],
        progress: Progress,
    ) -> None:
        self._exchange = exchange
        self._failed = failed
        self._progress = progress
        self._writes = self._closed = False
        self._error = ""
        self._tag = tag
        self._patience = patience
        self._silence_s = silence_s
        self.last: ChatLine | None = None
        """The line with the figures, once the answer is complete."""
        self.lines = 0
        """How many lines brought text: the engine writes one for each token, or fewer."""
        self._newest: deque[ChatLine] = deque(maxlen=MOST_REPEATS)

    def texts(self) -> Iterator[str]:
        """Give the text as it comes; what came in one read comes in one piece. Raises as `pieces`."""
        for lines in self.pieces():
            if text := "".join(line.text for line in lines):
                yield text

    def pieces(self) -> Iterator[list[ChatLine]]:
        """Give the lines that bring something, those of one read together.

        Raises `EngineError` for an error line, for a connection that was cut,
        and for an answer that ends without saying that it is done; `AnswerAborted`
        where that is for the sake of its text.
        """
        decoder = msgspec.json.Decoder(ChatLine)
        try:
            for lines in self._exchange.lines():
                brought = self._take(decoder.decode_lines(b"\n".join(lines)))
                self._note_progress()
                if brought:
                    yield brought
                if self._error:
                    raise self._of_error_line()
                if self.last is not None:
                    if self.last.done_reason != "load":  # a stuck engine loads as ever
                        self._progress.finished(self._tag)
                    return
                self._patience.bound("between_tokens", self._silence_s, "engine.timeout_s (TIMEOUT)")
        except EngineCut as error:
            self._failed()
            raise EngineInterrupted(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineError(f"the engine's answer is not what Ollama's API says: {error}") from error
        raise self._unfinished()

    def close(self) -> None:
        """Free the connection, or cut it where the answer is not complete."""
        if not self._closed:
            self._closed = True
            self._progress.end(self._tag, wrote=self._writes)
        self._patience.bound("end", END_S, "the daemon")
        self._exchange.close(answered=self.last is not None)

    def _note_progress(self) -> None:
        if self._writes:
            self._progress.heard(self._tag)
        elif self.lines:
            self._writes = True
            self._progress.begin(self._tag)

    def _of_error_line(self) -> ServiceError:
        error = failures.of_text(self._error, self._exchange.status, self._tag)
        if failures.is_of_the_model(error):
            self._failed()
        return error

    def _unfinished(self) -> EngineError:
        """Tell an answer that the engine cut for repeating itself from one that just ended."""
        said = {(line.text.strip(), line.thought.strip()) for line in self._newest}
        if len(said) == 1 and len(self._newest) == MOST_REPEATS:
            return AnswerAborted(
                "the engine ended the answer without saying that it is done, as it does where the model "
                "writes one token again and again; ask otherwise, or with a repeat_penalty or a temperature"
            )
        return EngineError("the engine ended the answer without saying that it is done")

    def _take(self, lines: list[ChatLine]) -> list[ChatLine]:
        """Take note of an end and of an error; give the lines that bring something.

        What came before an error in the same read is handed out first.
        """
        for line in lines:
            if line.done or line.error:
                self.last = line if line.done else self.last
                self._error = self._error or line.error
        brought = [line for line in lines if line.brings]
        self.lines += len(brought)
        self._newest += brought
        return brought
