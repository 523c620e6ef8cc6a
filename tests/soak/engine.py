"""The engine of the soak test, a process of its own: a prompt's first word says how it is answered.

It prints its port, then the number of each prompt that it has received, so that
a caller can leave when its request is certainly under way.

    prompt "cut 17" -> print 17 -> one line, then the connection is cut
"""

from __future__ import annotations

import queue
import sys
import threading
from typing import Any

from tests.scripted_engine import ScriptedEngine, Step, cut, piece, say, status, until, whole

PIECES = [f"word{number} " for number in range(20)]
TEXT = "".join(PIECES)
SILENCE = until(threading.Event())
SCRIPTS: dict[str, list[Step]] = {
    "answer": whole(*PIECES),
    "dirty": [say(piece("one"))],
    "line": [say(piece("one")), say({"error": "model runner has unexpectedly stopped"})],
    "cut": [say(piece("one")), cut],
    "broken": [status(500, "an error was encountered while running the model: EOF")],
    "full": [status(503, "server busy, please try again.  maximum pending requests exceeded")],
    "missing": [status(404, 'model "smollm2:135m" not found, try pulling it first')],
    "long": [status(400, "exceed_context_size_error")],
    "silent": [SILENCE],
    "stalled": [*(say(piece(text)) for text in PIECES[:3]), SILENCE],
}


class Engine(ScriptedEngine):
    """Plays the script that a prompt names."""

    def next_script(self, body: dict[str, Any]) -> list[Step]:
        """Say whose prompt came, and play its script. Nothing is remembered: the test runs for long."""
        self.received.clear()
        self.connections.clear()
        self.hung_up, self.closed = queue.SimpleQueue(), queue.SimpleQueue()
        word, number = body["messages"][-1]["content"].split()
        _print(number)
        return SCRIPTS[word]


def _print(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with Engine() as engine:
        _print(engine.url)
        sys.stdin.read()  # until the test ends
