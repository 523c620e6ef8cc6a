"""What the engine does wrong, and what its caller gets to know of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.integration.gateway.conftest import answer, ask, stream
from tests.scripted_engine import ScriptedEngine
from tests.scripted_engine import status as status_of

# Not by chance: an answer of two words would end before it breaks.
LONG = {"max_tokens": 100, "temperature": 0}


def test_an_engine_that_never_begins_meets_the_bound_of_the_first_token(impatient: DaemonProcess) -> None:
    status, body = answer(impatient, {"prompt": "NEVER", "stream": True})
    assert (status, body["code"], body["details"]["bound"]) == (504, "TIMEOUT", "first_token")
    assert body["details"]["setting"] == "engine.first_token_timeout_s"
    assert body["details"]["limit_s"] == 6, "it grows with the prompt"


def test_an_engine_that_stalls_meets_the_bound_between_tokens(impatient: DaemonProcess) -> None:
    *texts, last = stream(impatient, "Please do not STALL before the end.", **LONG)
    assert texts
    assert (last["code"], last["details"]["bound"], last["done"]) == ("TIMEOUT", "between_tokens", True)


def test_a_stall_is_a_status_where_nothing_is_streamed(impatient: DaemonProcess) -> None:
    status, body = answer(impatient, {"prompt": "Please do not STALL before the end.", "params": LONG})
    assert (status, body["code"], body["details"]["bound"]) == (504, "TIMEOUT", "between_tokens")


def test_loading_has_a_bound_of_its_own(tmp_path: Path) -> None:
    with (
        EngineProcess(tmp_path, env={"IA0_ENGINE_FAULT_SLOW_LOAD_S": "60"}) as engine,
        DaemonProcess(tmp_path, engine.url, {"engine": {"load_timeout_s": 1}}) as daemon,
    ):
        status, body = answer(daemon, {"prompt": "Hi"})
        assert (status, body["code"], body["details"]["bound"]) == (504, "TIMEOUT", "load")


@pytest.mark.parametrize("word", ["DIRTY", "FAIL", "DIE"])
def test_an_answer_that_breaks_ends_in_an_error(daemon: DaemonProcess, word: str) -> None:
    # Resumed, it might end before it breaks once more.
    *texts, last = stream(daemon, f"{word} hard.", resume=False, **LONG)
    assert texts
    assert all("error" not in line for line in texts)
    assert (last["code"], last["done"]) == ("ENGINE_ERROR", True)
    status, body = answer(daemon, {"prompt": f"{word} hard.", "params": LONG})
    assert (status, body["code"]) == (502, "ENGINE_ERROR")
    assert answer(daemon, {"prompt": "Hi", "params": {"max_tokens": 2}})[0] == 200


def test_a_full_queue_of_the_engine_is_overload(
    scripted_daemon: DaemonProcess, scripted: ScriptedEngine
) -> None:
    scripted.scripts = [[status_of(503, "server busy, please try again.  maximum pending requests exceeded")]]
    with ask(scripted_daemon, {"prompt": "Hi"}) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
        assert b"OVERLOADED" in response.read()


def test_an_engine_that_is_killed_is_told_and_its_successor_is_used(tmp_path: Path) -> None:
    held = {"IA0_ENGINE_FAULT_WEDGE_AFTER_TOKENS": "1;when=STALL"}
    settings = {"engine": {"poll_interval_s": 60}}  # so that only the requests themselves can notice
    with (
        EngineProcess(tmp_path, env=held) as engine,
        DaemonProcess(tmp_path, engine.url, settings) as daemon,
    ):
        with ask(daemon, {"prompt": "STALL here.", "stream": True}) as response:
            response.readline()
            engine.kill()
            assert b'"code":"ENGINE_ERROR"' in response.read().splitlines()[-1]
        status, body = answer(daemon, {"prompt": "Hi"})
        assert (status, body["code"]) == (502, "ENGINE_ERROR")
        assert "does not accept connections" in body["error"]
        engine.start()
        assert answer(daemon, {"prompt": "Hi", "params": {"max_tokens": 2}})[0] == 200
        engine.kill()  # while the daemon keeps idle connections to it
        engine.start()
        assert answer(daemon, {"prompt": "Hi", "params": {"max_tokens": 2}})[0] == 200


def test_without_an_engine_the_daemon_lives_and_is_not_ready(tmp_path: Path) -> None:
    with (
        EngineProcess(tmp_path) as engine,
        DaemonProcess(tmp_path, engine.url, {"engine": {"poll_interval_s": 0.1}}) as daemon,
    ):
        daemon.wait_for(lambda: daemon.metric("ia0_engine_up") == 1)
        engine.stop()
        daemon.wait_for(lambda: daemon.metric("ia0_engine_up") == 0)
        daemon.wait_for_log(event="engine_down")
        engine.start()
        daemon.wait_for(lambda: daemon.metric("ia0_engine_up") == 1)
