"""Callers: 16 that want one object, 8 that want a stream, some that ask the same as others at the same time.

Each asks again and again, keeps what it got, and bears one of the keys.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

PLAIN, STREAM = "plain", "stream"
# One object as well, of an answer that is shared with others at the same time, or kept.
SHARED = "shared"
PROMPTS = (
    "Tell me a story about a lighthouse keeper and his dog.",
    "Explain how bread is made, step by step.",
    "Describe the planets of the solar system, one after the other.",
    "Write a letter to a friend about a journey through the mountains.",
    "What should somebody know before they buy a bicycle?",
    "Explain what rain is to a child.",
)
PLAIN_TOKENS, STREAM_TOKENS = 30, 150
# A stream that had a token so recently is between two, in seconds.
BETWEEN_TOKENS_S = 0.5
# Longer than any wait that the daemon allows: a client that gives up would be counted as lost.
PATIENCE_S = 240
# How many answers come between two faults: each fault meets requests of its own.
ANSWERS_BETWEEN = 8


@dataclass
class Outcome:
    """What one request got."""

    kind: str
    request_id: str
    prompt: str
    result: str
    """`answered`, `error` (an explicit one, with a code) or `lost`."""
    text: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    trouble: str = ""


class Callers:
    """A crowd of callers; `stop` lets each finish its last request."""

    def __init__(
        self, url: str, plain: int = 16, streams: int = 8, keys: Sequence[str] = (), shared: int = 0
    ) -> None:
        self._url = f"{url}/llm/generate"
        self._keys = keys
        self._stop = threading.Event()
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._sent = 0
        self._open: dict[str, float] = {}
        self._answered = 0
        self._group = max(1, shared)
        self._shared_ids = itertools.count()
        kinds = [PLAIN] * plain + [STREAM] * streams + [SHARED] * shared
        self._threads = [
            threading.Thread(target=self._run, args=(kind, number), daemon=True)
            for number, kind in enumerate(kinds)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing new, and wait for what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 30)

    def take(self) -> tuple[int, list[Outcome]]:
        """Give how many were sent and what they got since the last time."""
        with self._lock:
            sent, self._sent = self._sent, 0
            outcomes, self._outcomes = self._outcomes, []
            return sent, outcomes

    def busy(self) -> Counter[str]:
        """Count what is under way, requests and streams between their tokens, and what was answered."""
        with self._lock:
            heard, answered = list(self._open.values()), self._answered
        now = time.monotonic()
        writing = sum(now - at < BETWEEN_TOKENS_S for at in heard)
        return Counter(requests=len(heard), writing=writing, answered=answered)

    def _run(self, kind: str, caller: int) -> None:
        with requests.Session() as session:
            if self._keys:
                session.headers["Authorization"] = f"Bearer {self._keys[caller % len(self._keys)]}"
            while not self._stop.is_set():
                self._ask(session, kind)

    def _ask(self, session: requests.Session, kind: str) -> None:
        number = next(self._ids)
        request_id = f"chaos-{kind}-{number}"
        prompt = PROMPTS[number % len(PROMPTS)] if kind != SHARED else self._shared_prompt()
        body = {
            "prompt": prompt,
            "stream": kind == STREAM,
            "params": {"temperature": 0, "max_tokens": STREAM_TOKENS if kind == STREAM else PLAIN_TOKENS},
            "cache": kind == SHARED,
        }
        with self._lock:
            self._sent += 1
            self._open[request_id] = float("-inf")
        outcome = Outcome(kind, request_id, prompt, "lost")
        try:
            self._fill(outcome, session, body)
        except (requests.RequestException, ValueError) as error:
            outcome.trouble = repr(error)
        with self._lock:
            del self._open[request_id]
            self._outcomes.append(outcome)
            self._answered += outcome.result == "answered"

    def _shared_prompt(self) -> str:
        """Give the same prompt as many times as there are callers who share, then the next one."""
        number = next(self._shared_ids) // self._group
        return f"{PROMPTS[number % len(PROMPTS)]} Call it chapter {number}."

    def _fill(self, outcome: Outcome, session: requests.Session, body: dict[str, Any]) -> None:
        headers = {"X-Request-ID": outcome.request_id}
        with session.post(
            self._url, json=body, headers=headers, stream=outcome.kind == STREAM, timeout=PATIENCE_S
        ) as answer:
            if answer.status_code != 200:
                outcome.result, outcome.code = "error", answer.json()["code"]
            elif outcome.kind != STREAM:
                outcome.figures = answer.json()
                outcome.text = outcome.figures["text"]
                outcome.result = "answered"
            else:
                self._read_stream(outcome, answer)

    def _read_stream(self, outcome: Outcome, answer: requests.Response) -> None:
        for line in answer.iter_lines():
            message = json.loads(line)
            if "error" in message:
                outcome.result, outcome.code = "error", message["code"]
                return
            outcome.text += message["text"]
            if message["done"]:
                outcome.figures, outcome.result = message, "answered"
                return
            with self._lock:
                self._open[outcome.request_id] = time.monotonic()
        outcome.trouble = "the stream ended without a last line"


def wait_until_busy(callers: Callers, requests_: int, writing: int, limit_s: float = 120) -> Counter[str]:
    """Wait until enough is under way for a fault to hurt, and some answers have come since the last one."""
    until, before = time.monotonic() + limit_s, callers.busy()["answered"]
    while time.monotonic() < until:
        busy = callers.busy()
        ready = busy["requests"] >= requests_ and busy["writing"] >= writing
        if ready and busy["answered"] - before >= ANSWERS_BETWEEN:
            return busy
        time.sleep(0.01)
    raise AssertionError(f"never {requests_} requests and {writing} streams under way: {callers.busy()}")
