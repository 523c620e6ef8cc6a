"""The callers, as Locust plays them; `python -m tests.load` starts it.

Owns how a kind of `mix.py` is sent and read. What it is to do is in the environment: `IA0_LOAD_*`.

    Day: how many callers -> Caller: a kind of the mix -> sent, read to its end -> Ledger, Locust's figures
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from random import Random
from typing import Any

from locust import HttpUser, LoadTestShape, events, task
from locust.env import Environment

from ia0_daemon.gateway.routes import OPERATIONS
from tests.load.day import callers
from tests.load.ledger import Ledger
from tests.load.mix import MIX, OPENAI, Kind

# An answer that takes longer than this is broken, in seconds.
TIMEOUT_S = 120
# Between two requests of a caller; and the longest that one waits who is told to come back later. In seconds.
PAUSE_S = (0.1, 1.5)
LONGEST_WAIT_S = 10
# Spawn as fast as the curve asks for.
SPAWN_RATE = 50
KNOWN = {row.path for row in OPERATIONS}
# What is not in the table is not played, but for what is to be refused.
KINDS = [kind for kind in MIX if kind.path in KNOWN or kind.status == 404]


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust has no types there
def begin(environment: Environment, **_: Any) -> None:
    """Give the run its ledger."""
    setattr(environment, "ledger", Ledger())  # noqa: B010  # Locust's class does not know it


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def end(environment: Environment, **_: Any) -> None:
    """Write the ledger for the report."""
    ledger: Ledger = environment.ledger  # type: ignore[attr-defined]
    ledger.save(Path(os.environ["IA0_LOAD_LEDGER"]))


class Day(LoadTestShape):
    """A day in as many seconds as the run takes."""

    def tick(self) -> tuple[int, float] | None:
        """Say how many callers there are now; none: the day is over."""
        run_s, at_s = float(os.environ["IA0_LOAD_SECONDS"]), self.get_run_time()  # type: ignore[no-untyped-call]
        if at_s >= run_s:
            return None
        return callers(int(os.environ["IA0_LOAD_USERS"]), run_s, at_s), SPAWN_RATE


class Caller(HttpUser):
    """Somebody's application: one key, one request after another with pauses."""

    def on_start(self) -> None:
        """Take a key."""
        self.random = Random()
        self.refused_s = 0.0
        keys = [key for key in os.environ.get("IA0_LOAD_KEYS", "").split(",") if key]
        self.headers = {"Content-Type": "application/json"}
        if keys:
            self.headers["Authorization"] = f"Bearer {self.random.choice(keys)}"

    def wait_time(self) -> float:
        """Give the pause before the next request: what a refusal asked for, else a short one."""
        refused_s, self.refused_s = self.refused_s, 0.0
        return min(refused_s, LONGEST_WAIT_S) or self.random.uniform(*PAUSE_S)

    @task
    def ask(self) -> None:
        """Play one kind of the mix."""
        kind = self.random.choices(KINDS, [each.weight for each in KINDS])[0]
        self._play(kind)

    def _play(self, kind: Kind) -> None:
        name = f"{kind.name} {kind.path}"
        ledger: Ledger = self.environment.ledger
        body = kind.body(self.random) if kind.method == "POST" else None
        began = time.monotonic()
        with self.client.request(
            kind.method,
            kind.path,
            name=name,
            data=body,
            headers=self.headers,
            stream=kind.play != "whole",
            timeout=TIMEOUT_S,
            catch_response=True,
        ) as response:
            if not response.status_code:
                ledger.note_broken(name, f"no answer ({type(response.error).__name__})")
                response.failure(f"no answer: {response.error}")
                return
            self._note_refusal(response)
            if not ledger.note(name, response.status_code, _code(response), kind.status):
                response.failure(f"{response.status_code} {_code(response)}")
            else:
                response.success()
                if response.status_code == 200 and kind.play != "whole":
                    self._read(kind, name, response, began)

    def _note_refusal(self, response: Any) -> None:
        """Keep the times of refusals apart from those of answers, and come back no sooner than is asked."""
        if response.status_code == 429:
            response.request_meta["name"] += ", refused"
            self.refused_s = float(response.headers.get("Retry-After", 0))

    def _read(self, kind: Kind, name: str, response: Any, began: float) -> None:
        """Read a stream; its first line alone where the caller hangs up. Locust's own time ends before it."""
        last = b""
        for line in response.iter_lines():
            if not line:
                continue
            last = line
            if kind.play == "hang up":
                response.close()
                return
        self._note_whole(name, began)
        if not _is_end(kind.path, last):
            self.environment.ledger.note_broken(name, f"the stream ended with {last[:200]!r}")
            response.failure("a stream without its end")

    def _note_whole(self, name: str, began: float) -> None:
        """Have Locust keep the time to a stream's end, too."""
        self.environment.events.request.fire(
            request_type="WHOLE",
            name=name,
            response_time=(time.monotonic() - began) * 1000,
            response_length=0,
            exception=None,
            context={},
        )


def _code(response: Any) -> str:
    """Give the code of an error, in whichever shape."""
    if response.status_code < 400:
        return ""
    try:
        body = json.loads(response.content)
        inner = body["error"] if isinstance(body["error"], dict) else body
        return str(inner["code"]).upper()
    except (ValueError, KeyError, TypeError):
        return "in no shape of errors"


def _is_end(path: str, last: bytes) -> bool:
    if path == OPENAI:
        return last == b"data: [DONE]"
    try:
        message = json.loads(last)
    except ValueError:
        return False
    return message.get("done") is True and "error" not in message
