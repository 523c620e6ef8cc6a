"""What is known of the engine, and when it is forgotten."""

from __future__ import annotations

import threading
import time

import pytest

from ia0_daemon.engine.client import EngineClient, Question
from ia0_daemon.engine.messages import Message
from ia0_daemon.engine.watch import EngineWatch, full_name
from ia0_daemon.errors import EngineInterrupted
from tests.fakes import MODEL, FakeControl, bounded
from tests.scripted_engine import TAG, Reply, ScriptedEngine, cut


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("qwen2:7b", "qwen2:7b"),
        ("qwen2", "qwen2:latest"),
        ("me/qwen2", "me/qwen2:latest"),
        ("registry:5000/me/qwen2", "registry:5000/me/qwen2:latest"),
        ("registry:5000/me/qwen2:7b", "registry:5000/me/qwen2:7b"),
    ],
)
def test_a_name_without_a_tag_is_the_latest(tag: str, name: str) -> None:
    assert full_name(tag) == name


def test_nothing_is_known_before_the_engine_is_asked(control: FakeControl) -> None:
    watch = EngineWatch(control, 60)
    assert not watch.state.reachable
    assert not watch.is_loaded(TAG)


def test_what_the_engine_says_is_known(watch: EngineWatch) -> None:
    assert (watch.state.version, watch.is_present(TAG), watch.is_loaded(TAG)) == ("0.33.0", True, True)
    assert not watch.is_present("other:1b")


def test_what_was_just_loaded_is_known_at_once(control: FakeControl) -> None:
    watch = EngineWatch(control, 60)
    watch.note_loaded("qwen2")
    assert watch.is_loaded("qwen2:latest")


def test_the_engine_is_believed_more_than_the_note(watch: EngineWatch, control: FakeControl) -> None:
    control.models = []
    watch.note_loaded(TAG)
    watch.refresh()
    assert not watch.is_loaded(TAG)


def test_after_a_cut_nothing_is_taken_for_loaded(watch: EngineWatch) -> None:
    watch.note_loaded("qwen2")
    watch.forget_loaded()
    assert not watch.is_loaded(TAG)
    assert not watch.is_loaded("qwen2")
    assert watch.is_present(TAG)


def test_an_engine_that_does_not_answer_has_nothing(watch: EngineWatch, control: FakeControl) -> None:
    control.reachable = False
    watch.refresh()
    assert (watch.state.reachable, watch.state.error) == (False, "nobody there")
    assert not watch.is_loaded(TAG)


def test_it_asks_again_and_again_until_it_is_stopped(control: FakeControl) -> None:
    watch = EngineWatch(control, 0.01)
    watch.start()
    control.models = ["new:1b"]
    until = time.monotonic() + 10
    while not watch.is_loaded("new:1b"):
        assert time.monotonic() < until
    watch.stop()


def test_it_asks_at_once_when_a_request_has_found_it_changed(control: FakeControl) -> None:
    watch = EngineWatch(control, 3600)
    watch.start()
    control.reachable = False
    watch.look_soon()
    until = time.monotonic() + 10
    while watch.state.reachable:
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    watch.stop()


def test_what_is_only_being_loaded_is_not_loaded_though_the_engine_lists_it(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch
) -> None:
    seen: list[bool] = []

    def look(_reply: Reply) -> None:
        watch.refresh()
        seen.extend((TAG in watch.state.loaded, watch.is_loaded(TAG)))

    watch.forget_loaded()
    engine.load_script = [look, *engine.load_script]
    client.load(MODEL, bounded(30))
    assert seen == [True, False]
    assert watch.is_loaded(TAG)


def test_a_request_that_the_engine_takes_or_refuses_has_it_looked_at(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch, control: FakeControl
) -> None:
    control.reachable = False
    watch.refresh()
    looks: list[bool] = []
    watch.look_soon = lambda: looks.append(watch.state.reachable)  # type: ignore[method-assign]  # counted here
    client.load(MODEL, bounded(30))
    assert looks == [False]
    engine.scripts = [[cut]]
    with pytest.raises(EngineInterrupted):
        client.answer(Question(MODEL, [Message("user", "Hi")]), bounded(30))
    assert len(looks) == 2
