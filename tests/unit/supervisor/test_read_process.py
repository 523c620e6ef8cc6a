"""Processes are read from `/proc` as they are, and never taken for others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ia0_daemon.supervisor import read_process
from ia0_daemon.supervisor.read_process import PROC, Stat, read_stat, read_tree
from tests.unit.supervisor.memory_builders import MIB, FakeProc


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def pids(proc: FakeProc, root: int) -> set[int]:
    return {process.stat.pid for process in read_tree(proc.path, root)}


def test_a_tree_is_the_process_and_all_below_it(proc: FakeProc) -> None:
    proc.process(10, 1, ["ollama", "serve"])
    proc.process(11, 10, ["a"])
    proc.process(12, 11, ["b"])
    proc.process(20, 1, ["another"])
    assert pids(proc, 10) == {10, 11, 12}


def test_a_name_with_brackets_and_blanks_confuses_nobody(proc: FakeProc) -> None:
    proc.process(10, 7, ["x"], name="evil) S 99 (", started=123)
    assert read_stat(proc.path, 10) == Stat(10, 7, 123)


def test_memory_is_told_in_bytes_and_swap_apart(proc: FakeProc) -> None:
    proc.process(10, 1, ["x"], anon=3 * MIB, swap=2 * MIB, file=7 * MIB)
    (process,) = read_tree(proc.path, 10)
    assert (process.memory.anon, process.memory.swap, process.memory.file) == (3 * MIB, 2 * MIB, 7 * MIB)


@pytest.mark.parametrize("state", ["Z", "X"])
def test_who_has_ended_is_not_there(proc: FakeProc, state: str) -> None:
    proc.process(10, 1, ["x"])
    proc.process(11, 10, ["y"], state=state)
    assert pids(proc, 10) == {10}
    proc.process(10, 1, ["x"], state=state)
    assert pids(proc, 10) == set()


def test_a_root_that_is_not_there_has_no_tree(proc: FakeProc) -> None:
    assert read_tree(proc.path, 10) == []


def test_a_process_that_ends_while_it_is_read_is_left_out(proc: FakeProc) -> None:
    proc.process(10, 1, ["x"])
    proc.process(11, 10, ["y"])
    (proc.path / "11/status").unlink()
    assert pids(proc, 10) == {10}


def test_a_pid_that_is_used_again_while_it_is_read_is_left_out(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(10, 1, ["x"])
    proc.process(11, 10, ["y"], anon=MIB)
    real: Callable[[Path], bytes] = read_process._read

    def replaced_in_between(path: Path) -> bytes:
        text = real(path)
        if path == proc.path / "11/status":
            proc.process(11, 1, ["somebody else"], started=999)
        return text

    monkeypatch.setattr(read_process, "_read", replaced_in_between)
    assert pids(proc, 10) == {10}


def test_a_kernel_thread_has_no_memory_of_its_own(proc: FakeProc) -> None:
    proc.process(10, 1, [])
    proc.write("10/status", "Name:\tkworker\nThreads:\t1\n")
    assert read_tree(proc.path, 10) == []


def test_this_process_is_found_in_the_real_proc() -> None:
    tree = read_tree(PROC, os.getpid())
    assert tree[0].stat.pid == os.getpid()
    assert tree[0].memory.anon > MIB
