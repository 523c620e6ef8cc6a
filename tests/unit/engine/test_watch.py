"""What is known of the engine, and when it is forgotten."""

from __future__ import annotations

import time

import pytest

from ia0_daemon.engine.watch import EngineWatch, full_name
from tests.fakes import FakeControl
from tests.scripted_engine import TAG


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
