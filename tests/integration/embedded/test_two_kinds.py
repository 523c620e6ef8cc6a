"""Texts and vectors of one model by turns, each of which needs a child of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.engine_process import MODEL, EngineProcess

BODIES: dict[str, dict[str, Any]] = {
    "/api/chat": {"messages": [{"role": "user", "content": "Hi"}], "options": {"num_predict": 2}},
    "/api/embed": {"input": "Hi"},
}


def test_callers_of_texts_and_of_vectors_all_have_their_turns(engine: EngineProcess) -> None:
    def call(path: str) -> list[int]:
        body = {"model": MODEL, "stream": False, "keep_alive": "5m"} | BODIES[path]
        return [engine.post(path, body)[0] for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, [*BODIES] * 4)) == [[200] * 3] * 8
