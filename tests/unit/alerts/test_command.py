"""The program: what it reads, how it is bounded, and what of it is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from ia0_daemon.alerts.command import TOLD_BYTES, Command
from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink_error import SinkError


def run(message: Message, program: str, *args: object, timeout_s: float = 20) -> str:
    return Command((sys.executable, "-c", program, *map(str, args)), timeout_s).send(message)


def test_it_reads_the_alert_as_json(message: Message, tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    assert run(message, program, tmp_path / "got") == f"exit 0 from {sys.executable}"
    assert json.loads((tmp_path / "got").read_text()) == message.payload()


def test_there_is_no_shell(message: Message, tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    run(message, program, tmp_path / "got", "$HOME; `id` *")
    assert (tmp_path / "got").read_text() == "$HOME; `id` *"


def test_it_does_not_see_the_daemons_settings(
    message: Message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IA0_ALERTS__WEBHOOK_URL", "https://secret")
    program = "import os, sys; open(sys.argv[1], 'w').write(str(dict(os.environ)))"
    run(message, program, tmp_path / "got")
    told = (tmp_path / "got").read_text()
    assert "PATH" in told
    assert "secret" not in told


def test_its_failure_is_told_with_the_end_of_what_it_says(message: Message) -> None:
    program = "import sys; sys.stderr.write('x' * 10_000_000 + ' no such pager'); sys.exit(3)"
    with pytest.raises(SinkError, match=r"ended with code 3: .* no such pager$") as raised:
        run(message, program)
    assert len(str(raised.value)) < TOLD_BYTES + 200


def test_a_program_that_reads_nothing_is_no_trouble(message: Message) -> None:
    big = Message("test", "test", "info", "", "", "", details={"big": "x" * 500_000})
    assert run(big, "pass").startswith("exit 0")


def test_a_program_that_does_not_end_is_killed_with_its_children(message: Message, tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    with pytest.raises(SinkError, match="did not end within 8 s and was killed"):
        run(message, program, tmp_path / "pid", timeout_s=8)
    child = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_program_that_cannot_be_run_is_said(message: Message, tmp_path: Path) -> None:
    program = tmp_path / "pager"
    with pytest.raises(SinkError, match="pager cannot be run: No such file"):
        Command((str(program),), 5).send(message)
    program.write_text("#!/bin/sh\n")
    with pytest.raises(SinkError, match="pager cannot be run: Permission denied"):
        Command((str(program),), 5).send(message)
