"""The way of a request over the wire: queue, sharing, routing, fallback and shortening, with real parts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.integration.gateway.conftest import answer, ask, send_and_leave_open
from tests.scripted_engine import DONE, ScriptedEngine, piece, say, status, until, whole

STREAM = {"prompt": "Hi", "stream": True}
# Two public names for the same weights: what is held here is who is asked, not how well it writes.
LANGUAGES = {
    "models.pt": {"name": "qwen2-7b", "tag": "smollm2:135m", "languages": ["pt"]},
    "models.rest": {"name": "llama3.1-8b", "tag": "smollm2:135m"},
}


@pytest.fixture
def narrow(scripted: ScriptedEngine, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon whose engine writes two answers at once, and in which one more may wait."""
    sections = {
        "engine": {"parallel": 2, "timeout_s": 20},
        "admission": {"max_queue": 1, "queue_timeout_s": 30},
        "models.small": {"aliases": []},
        "models.spare": {"name": "spare", "tag": "spare:1b"},
    }
    with DaemonProcess(tmp_path, scripted.url, sections) as running:
        yield running


def test_behind_the_slots_requests_wait_and_behind_the_queue_they_are_refused(
    narrow: DaemonProcess, scripted: ScriptedEngine
) -> None:
    go_on = threading.Event()
    scripted.scripts = [[say(piece("Hello")), until(go_on), say(DONE)]]
    with ExitStack() as open_, ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            open_.enter_context(ask(narrow, STREAM)).readline()
        third = pool.submit(answer, narrow, {"prompt": "Third"})
        narrow.wait_for(lambda: narrow.metric('ia0_queue_waiting{model="smollm2-135m"}') == 1)
        code, refused = answer(narrow, {"prompt": "Fourth"})
        assert (code, refused["code"], refused["details"]["setting"]) == (
            503,
            "OVERLOADED",
            "admission.max_queue",
        )
        assert len(scripted.received) == 2  # the engine has not seen those who wait
        go_on.set()
        assert third.result(30)[1]["text"] == "Hello"


def test_one_who_hangs_up_in_the_queue_leaves_it(narrow: DaemonProcess, scripted: ScriptedEngine) -> None:
    go_on = threading.Event()
    scripted.scripts = [[say(piece("Hello")), until(go_on), say(DONE)]]
    with ExitStack() as open_:
        for _ in range(2):
            open_.enter_context(ask(narrow, STREAM)).readline()
        with send_and_leave_open(narrow, {"prompt": "Third"}):
            narrow.wait_for(lambda: narrow.metric('ia0_queue_waiting{model="smollm2-135m"}') == 1)
        narrow.wait_for_log(code="CALLER_GONE")
        assert narrow.metric('ia0_queue_waiting{model="smollm2-135m"}') == 0
        go_on.set()
    assert len(scripted.received) == 2


def test_equal_determined_requests_are_asked_of_the_engine_once(
    narrow: DaemonProcess, scripted: ScriptedEngine
) -> None:
    go_on = threading.Event()
    scripted.scripts = [[say(piece("One")), until(go_on), *whole(" answer")]]
    body = {"prompt": "Hi", "params": {"temperature": 0}}
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(answer, narrow, body) for _ in range(5)]
        narrow.wait_for(lambda: narrow.metric('ia0_cache_requests_total{result="shared"}') == 4)
        go_on.set()
        assert {found.result(30)[1]["text"] for found in answers} == {"One answer"}
    assert len(scripted.received) == 1
    assert answer(narrow, body)[1]["cached"] is True


def test_the_first_ones_hanging_up_does_not_fail_the_others(
    narrow: DaemonProcess, scripted: ScriptedEngine
) -> None:
    go_on = threading.Event()
    scripted.scripts = [[say(piece("One")), until(go_on), *whole(" answer")]]
    body = {"prompt": "Hi", "params": {"temperature": 0}}
    with ThreadPoolExecutor(1) as pool:
        with send_and_leave_open(narrow, body):
            narrow.wait_for(lambda: len(scripted.received) == 1)
            other = pool.submit(answer, narrow, body)
            narrow.wait_for(lambda: narrow.metric('ia0_cache_requests_total{result="shared"}') == 1)
        go_on.set()
        assert other.result(30)[1]["text"] == "One answer"
    assert len(scripted.received) == 1


def test_a_model_that_the_engine_cannot_load_is_passed_over(scripted: ScriptedEngine, tmp_path: Path) -> None:
    sections = {
        "models.small": {"fallbacks": ["spare"]},
        "models.spare": {"name": "spare", "tag": "spare:1b"},
    }
    scripted.loaded.append("spare:1b")
    failure = "llama-server process has terminated: exit status 1: out of memory"
    scripted.scripts = [[status(500, failure)], whole("Hello")]
    with DaemonProcess(tmp_path, scripted.url, sections) as daemon:
        _, body = answer(daemon, {"prompt": "Hi", "model": "smollm2-135m"})
        assert (body["model"], body["passed_over"]) == ("spare", ["smollm2-135m"])
        assert daemon.wait_for_log(event="fallback")["code"] == "MODEL_UNAVAILABLE"
    # The second one twice: behind such a failure nothing is known to be loaded, so it is loaded first.
    assert [asked["model"] for asked in scripted.received] == ["smollm2:135m", "spare:1b", "spare:1b"]


@pytest.fixture(scope="module")
def bilingual(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("bilingual")
    daemon = DaemonProcess(folder, engine.url, LANGUAGES)
    daemon.drop("models.small")
    with daemon as running:
        yield running


@pytest.mark.parametrize(
    ("prompt", "model", "route"),
    [
        ("Como se faz um bom café da manhã em casa?", "qwen2-7b", "language:pt"),
        ("How does one make a good breakfast at home?", "llama3.1-8b", "default"),
        ("¿Cómo se prepara un buen desayuno en casa?", "llama3.1-8b", "default"),
    ],
)
def test_the_language_of_a_prompt_chooses_the_model(
    bilingual: DaemonProcess, prompt: str, model: str, route: str
) -> None:
    _, body = answer(bilingual, {"prompt": prompt, "params": {"max_tokens": 2}})
    assert (body["model"], body["route"]) == (model, route)


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers_or_shortened_as_asked(
    daemon: DaemonProcess,
) -> None:
    body: dict[str, Any] = {
        "prompt": " ".join(f"{number} sheep" for number in range(2500)) + ". How many sheep?",
        "params": {"max_tokens": 4},
    }
    code, refused = answer(daemon, body)
    assert (code, refused["code"]) == (400, "CONTEXT_LENGTH_EXCEEDED")
    assert refused["details"]["prompt_tokens"] > refused["details"]["context_tokens"] == 4096
    code, shortened = answer(daemon, body | {"truncate": True})
    assert (code, shortened["truncated"]) == (200, refused["details"])
    assert 3000 < shortened["prompt_tokens"] < 4096


def test_a_shared_system_text_is_read_once(engine: EngineProcess, tmp_path: Path) -> None:
    """Behind the same system text the engine goes on from what it has read for others."""
    text = " ".join(f"Rule {number}: be kind to guest {number}." for number in range(120))
    sections = {"models.small": {"system": text}, "log": {"level": "INFO"}}
    with DaemonProcess(tmp_path, engine.url, sections) as daemon:
        first, *others = [evaluated(daemon, f"What is {number}?") for number in range(8)]
    # Most of them, since the machine may stand still while one is read.
    assert median(others) < first / 3


def evaluated(daemon: DaemonProcess, prompt: str) -> float:
    """The seconds that the engine took to read a prompt."""
    _, body = answer(daemon, {"prompt": prompt, "params": {"max_tokens": 1}})
    line = daemon.wait_for_log(event="request", request_id=body["request_id"])
    return float(line["prompt_eval_ms"])
