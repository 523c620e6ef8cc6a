"""Which core the threads that answer keep to, and when they do not."""

from __future__ import annotations

import os
import threading
import time

import pytest

from ia0_daemon.gateway import one_core
from ia0_daemon.gateway.one_core import OWN, OneCore, choose


@pytest.mark.parametrize(
    ("current", "busy", "own", "wanted"),
    [
        pytest.param(None, {0: 0.1, 1: 0.05}, 0.0, 1, id="the quietest one is taken"),
        pytest.param(None, {0: 0.6, 1: 0.7}, 1.05, 0, id="own work is spread over all"),
        pytest.param(None, {0: 0.9, 1: 0.8}, 0.1, None, id="where all are busy none is taken"),
        pytest.param(None, {0: 1.0, 1: 1.0, 2: 0.1}, 0.0, 2, id="one quiet core among many is enough"),
        pytest.param(1, {0: 0.0, 1: 1.0}, 0.9, 1, id="own work is no reason to leave"),
        pytest.param(1, {0: 0.1, 1: 1.0}, 0.4, 0, id="a crowded one is left for a quiet one"),
        pytest.param(1, {0: 0.9, 1: 1.0}, 0.4, None, id="a crowded one is left for all"),
        pytest.param(1, {0: 0.0, 1: 0.45}, 0.2, 1, id="a little of others' work is no reason to leave"),
    ],
)
def test_a_core_is_chosen_by_what_others_do_on_it(
    current: int | None, busy: dict[int, float], own: float, wanted: int | None
) -> None:
    assert choose(current, busy, own) == wanted


class Cores:
    """Cores that are as busy as is said, a second a look."""

    def __init__(self) -> None:
        self.busy = dict.fromkeys(range(max(os.sched_getaffinity(0)) + 1), 0.0) | {OWN: 0.0}
        self._now = time.monotonic()

    def look(self, core: OneCore, **shares: float) -> None:
        """Let a second pass in which those cores were busy; all the others are idle."""
        for name, share in shares.items():
            self.busy[int(name[1:])] += share
        self._now += 1
        core.look(self._now)


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[int]]:
    """What each thread was told, on a machine with two cores."""
    told: dict[int, set[int]] = {}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cores: told.update({thread: set(cores)}))
    return told


def test_all_threads_go_where_the_choice_falls_and_later_ones_too(affinity: dict[int, set[int]]) -> None:
    cores = Cores()
    core = OneCore(lambda: dict(cores.busy))
    core.join()
    me = threading.get_native_id()
    assert affinity == {me: {0, 1}}
    cores.look(core, c0=0.5)
    assert affinity == {me: {1}}
    later = threading.Thread(target=core.join)
    later.start()
    later.join()
    assert list(affinity.values()) == [{1}, {1}]
    cores.look(core, c0=0.9, c1=0.9)
    assert list(affinity.values()) == [{0, 1}, {0, 1}]


def test_a_thread_that_has_left_is_told_nothing(affinity: dict[int, set[int]]) -> None:
    cores = Cores()
    core = OneCore(lambda: dict(cores.busy))
    core.join()
    core.leave()
    affinity.clear()
    cores.look(core)
    assert core.core == 0
    assert affinity == {}


def test_where_the_system_denies_it_all_stays_as_it_was(
    affinity: dict[int, set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(_thread: int, _cores: set[int]) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", deny)
    cores = Cores()
    core = OneCore(lambda: dict(cores.busy))
    core.join()
    cores.look(core)
    cores.look(core)
    assert core.core is None


def test_on_a_machine_with_one_core_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    core = OneCore(lambda: {0: 0.0, OWN: 0.0})
    core.look(time.monotonic() + 1)
    assert core.core is None


def test_what_this_machine_has_done_is_known_by_core() -> None:
    before = one_core._seconds_busy()
    assert os.sched_getaffinity(0) <= before.keys()
    while one_core._seconds_busy()[OWN] <= before[OWN]:
        pass
