"""A caller who hangs up frees the engine at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess
from tests.integration.gateway.conftest import ask, send_and_leave_open

# It is repeated more than a thousand times, and what is written is far ahead of what arrives: whenever the
# caller leaves, the engine is at it.
PROMPT = "SLOWLY go on with this for ever: " + "one two three four five six seven eight " * 10
LONG = {"max_tokens": 2000, "temperature": 0, "repeat_penalty": 1}


def left(daemon: DaemonProcess) -> list[dict[str, Any]]:
    return daemon.log_lines(code="CALLER_GONE")


@pytest.fixture
def freed(daemon: DaemonProcess, busy: Callable[[], bool]) -> Callable[[int], dict[str, Any]]:
    """Wait until the engine is idle and the daemon has logged one more who left; give that line."""

    def wait(before: int) -> dict[str, Any]:
        daemon.wait_for(lambda: not busy() and len(left(daemon)) > before)
        daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 0)
        return left(daemon)[-1]

    return wait


def test_in_mid_stream(daemon: DaemonProcess, busy: Callable[[], bool], freed: Callable[[int], Any]) -> None:
    before = len(left(daemon))
    with ask(daemon, {"prompt": PROMPT, "stream": True, "params": LONG, "cache": False}) as response:
        for _ in range(3):
            response.readline()
        assert busy()
    assert freed(before)["status"] == 499


def test_in_the_middle_of_an_answer_that_is_not_streamed(
    daemon: DaemonProcess, busy: Callable[[], bool], freed: Callable[[int], Any]
) -> None:
    before = len(left(daemon))
    with send_and_leave_open(daemon, {"prompt": PROMPT, "params": LONG, "cache": False}):
        daemon.wait_for(busy)
    freed(before)


@pytest.mark.parametrize("stream", [False, True])
def test_before_the_first_token(
    daemon: DaemonProcess, busy: Callable[[], bool], freed: Callable[[int], Any], stream: bool
) -> None:
    before = len(left(daemon))
    # 3,500 tokens, which take a while to read; each of their own, as the engine remembers prompts.
    words = " ".join(f"{stream} {number}" for number in range(730))
    with send_and_leave_open(daemon, {"prompt": words, "stream": stream, "params": LONG}):
        daemon.wait_for(busy)
    assert "ttft_ms" not in freed(before)
