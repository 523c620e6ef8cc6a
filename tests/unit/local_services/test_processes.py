"""Who a process is, and that a reused pid is never taken for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.local_services import processes
from tests.unit.local_services.conftest import until


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        ["sleep", "1000"], env={"PATH": os.environ["PATH"], processes.MARK: "/x/run.json"}
    ) as started:
        # Popen returns when exec has begun; a moment later the kernel shows the new program.
        until(lambda: processes.command_line(started.pid).startswith("sleep"))
        yield started
        started.kill()


def test_this_process_is_alive() -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    assert processes.is_alive(me)


def test_an_unused_pid_is_nobody() -> None:
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    assert processes.identify(highest + 1) is None


def test_a_zombie_is_nobody(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.identify(child.pid) is None


@pytest.mark.parametrize("other", [{"start_ticks": 1}, {"boot_id": "another boot"}])
def test_a_reused_pid_is_neither_alive_nor_signalled(
    child: subprocess.Popen[bytes], other: dict[str, object]
) -> None:
    identity = processes.identify(child.pid)
    assert identity is not None
    earlier = msgspec.structs.replace(identity, **other)
    processes.send(earlier, signal.SIGKILL)
    assert not processes.is_alive(earlier)
    assert child.poll() is None


def test_a_process_is_found_by_its_mark_alone(child: subprocess.Popen[bytes]) -> None:
    assert [found.pid for found in processes.marked("/x/run.json")] == [child.pid]
    assert processes.marked("/x/run") == []


def test_a_signal_to_an_ended_process_is_nothing(child: subprocess.Popen[bytes]) -> None:
    identity = processes.identify(child.pid)
    assert identity is not None
    child.kill()
    child.wait()
    processes.send(identity, signal.SIGTERM)


def test_a_command_line_is_one_line(child: subprocess.Popen[bytes]) -> None:
    assert processes.command_line(child.pid) == "sleep 1000"
