"""Keys that are made and ended while a real daemon runs: in force with the command's end."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ia0_daemon.cli import main
from ia0_daemon.settings.load import Source
from tests.daemon_process import DaemonProcess
from tests.scripted_engine import ScriptedEngine


def keys(daemon: DaemonProcess, *args: str) -> Result:
    return CliRunner().invoke(main, ["keys", *args, "--config", str(daemon.config_path)])


def created(daemon: DaemonProcess, *args: str) -> str:
    result = keys(daemon, "create", *args)
    assert result.exit_code == 0, result.output
    assert "The running daemon has read it." in result.stdout
    (plain,) = re.findall(r"^ {4}(ia0-\S+)$", result.stdout, re.MULTILINE)
    return str(plain)


def status(daemon: DaemonProcess, key: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    try:
        connection.request("GET", "/models", headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_a_key_is_in_force_when_its_command_ends(scripted_daemon: DaemonProcess) -> None:
    assert status(scripted_daemon) == 200
    plain = created(scripted_daemon, "shop")
    assert (status(scripted_daemon), status(scripted_daemon, plain)) == (401, 200)


def test_a_revoked_key_is_refused_when_its_command_ends(scripted_daemon: DaemonProcess) -> None:
    first, second = created(scripted_daemon, "first"), created(scripted_daemon, "second")
    assert keys(scripted_daemon, "revoke", "first").exit_code == 0
    assert (status(scripted_daemon, first), status(scripted_daemon, second)) == (401, 200)


def test_created_keys_outlive_a_restart(scripted_daemon: DaemonProcess) -> None:
    plain = created(scripted_daemon, "shop")
    assert scripted_daemon.stop() == 0
    scripted_daemon.start()
    assert (status(scripted_daemon), status(scripted_daemon, plain)) == (401, 200)


def test_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    config = tmp_path / "ia0.toml"
    config.write_text(f'[server]\nsocket_path = "{tmp_path}/s"\n[auth]\nkeys_path = "{tmp_path}/keys.toml"\n')
    command = [sys.executable, "-m", "ia0_daemon", "keys", "create", "--config", str(config)]
    names = [f"key-{number}" for number in range(6)]
    running = [subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in names]
    assert [process.wait(60) for process in running] == [0] * 6
    assert {key.name for key in Source(config, {}).load().auth.keys} == set(names)


@pytest.mark.parametrize("broken", ["this is [no TOML", "keys = 3", '[[keys]]\nname = "x"'])
def test_a_file_that_was_broken_by_hand_changes_nothing(scripted_daemon: DaemonProcess, broken: str) -> None:
    plain = created(scripted_daemon, "shop")
    path = Path(scripted_daemon.config_path).parent / "keys.toml"
    whole = path.read_bytes()
    path.write_text(broken)
    result = CliRunner().invoke(main, ["reload", "--config", str(scripted_daemon.config_path)])
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert (status(scripted_daemon), status(scripted_daemon, plain)) == (401, 200)
    path.write_bytes(whole)


def test_a_daemon_does_not_start_with_a_file_of_keys_that_is_broken(
    scripted: ScriptedEngine, tmp_path: Path
) -> None:
    (tmp_path / "keys.toml").write_text("this is [no TOML")
    daemon = DaemonProcess(tmp_path, scripted.url)
    with pytest.raises(AssertionError, match="is not TOML"):
        daemon.start()
    assert daemon.stop() == 1
