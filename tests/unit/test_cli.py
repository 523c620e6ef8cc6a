"""The ``ia0`` command: what it prints, where, and its exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ia0_daemon import __version__
from ia0_daemon.cli import main
from ia0_daemon.control import Args, CommandError, ControlServer
from ia0_daemon.keys import hash_key

KEY = f'[[auth.keys]]\nname = "billing"\nsha256 = "{hash_key("ia0-" + "x" * 43)}"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ia0.toml"
    path.write_text(f'[server]\nsocket_path = "{tmp_path}/ia0.sock"\n{KEY}')
    return path


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell that runs the tests may have the users' names set."""
    for name in (
        "OLLAMA_HOST",
        "MODEL_QWEN2",
        "MODEL_LLAMA",
        "MAX_TOKENS",
        "TIMEOUT",
        "LOG_LEVEL",
        "IA0_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)


def ia0(*args: object, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin, env=env)


def test_version() -> None:
    assert ia0("version").output == f"ia0 {__version__}\n"


def test_a_right_configuration_is_ok(file: Path) -> None:
    result = ia0("config", "check", file)
    assert (result.exit_code, result.stdout) == (0, f"{file}: ok\n")


def test_the_check_finds_its_file_as_other_commands_do(file: Path) -> None:
    by_option, by_variable = (
        ia0("config", "check", "--config", file),
        ia0("config", "check", env={"IA0_CONFIG": str(file)}),
    )
    assert by_option.stdout == by_variable.stdout == f"{file}: ok\n"
    assert ia0("config", "check", "--config", "").stdout == "environment: ok\n"


def test_a_named_file_wins_over_the_variable_and_excludes_the_option(file: Path) -> None:
    assert ia0("config", "check", file, env={"IA0_CONFIG": "/nowhere"}).exit_code == 0
    assert ia0("config", "check", file, "--config", file).exit_code == 2


def test_the_option_wins_over_the_variable(file: Path) -> None:
    shown = ia0("config", "show", "--config", file, env={"IA0_CONFIG": "/nowhere"})
    assert f"# {file}" in shown.stdout


def test_a_wrong_configuration_is_told_line_by_line_on_standard_error(file: Path) -> None:
    file.write_text("[server]\nthread = 1\nthreads = 1\n")
    result = ia0("config", "check", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"server.thread: is not a setting; did you mean server.threads? ({file})",
        f"server.threads: 1 is not a whole number from 4 to 1024 ({file})",
    ]


def test_the_check_knows_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEOUT", "soon")
    assert "(TIMEOUT)" in ia0("config", "check", file).stderr


def test_show_tells_values_and_origins_and_hides_secrets(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEOUT", "45")
    lines = ia0("config", "show", "--config", file).stdout.splitlines()
    assert 'engine.timeout_s = "45s"  # TIMEOUT' in lines
    assert 'engine.host = "localhost:11434"  # default' in lines
    assert f"auth.keys = [billing (hidden)]  # {file}" in lines
    assert not re.search(r"[0-9a-f]{64}", "\n".join(lines))


def test_show_refuses_a_wrong_configuration(file: Path) -> None:
    file.write_text("x = 1")
    assert ia0("config", "show", "--config", file).exit_code == 1


def test_the_example_passes_the_check(file: Path) -> None:
    file.write_text(ia0("config", "example").stdout)
    assert ia0("config", "check", file).exit_code == 0


def test_the_configuration_is_found_by_its_variable(file: Path) -> None:
    assert f"# {file}" in ia0("config", "show", env={"IA0_CONFIG": str(file)}).stdout


def test_no_file_at_all_can_be_asked_for() -> None:
    assert ia0("config", "show", "--config", "").exit_code == 0


def test_a_new_key_comes_with_the_lines_that_let_the_daemon_know_it() -> None:
    text = ia0("keys", "new", "billing").stdout
    (plain,) = re.findall(r"^ {4}(ia0-\S+)$", text, re.MULTILINE)
    (entry,) = tomllib.loads(text[text.index("[[auth.keys]]") :])["auth"]["keys"]
    assert entry == {"name": "billing", "sha256": hash_key(plain)}


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "x" * 65])
def test_a_key_needs_a_name(name: str) -> None:
    assert ia0("keys", "new", name).exit_code == 2


def test_a_key_is_hashed_from_standard_input() -> None:
    plain = "ia0-" + "x" * 43
    assert ia0("keys", "hash", stdin=f"{plain}\n").stdout == f"{hash_key(plain)}\n"


@pytest.mark.parametrize("plain", ["", "hunter2"])
def test_a_key_that_can_be_guessed_is_not_hashed(plain: str) -> None:
    result = ia0("keys", "hash", stdin=plain)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "can be guessed" in result.stderr
    assert not plain or plain not in result.stderr


def _refuse(args: Args) -> object:
    raise CommandError("the configuration is wrong; the old one stays", ["a.b: is not a setting"])


STATUS = {"version": "1", "engine": {"host": "h", "error": None}, "models": {}, "list": [{"a": 1, "b": 2}, 3]}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[None]:
    server = ControlServer(tmp_path / "ia0.sock", {"status": lambda _: STATUS, "reload": _refuse})
    server.start()
    yield
    server.stop()


def test_status_is_told_line_by_line(daemon: None, file: Path) -> None:
    result = ia0("status", "--config", file)
    assert result.stdout == (
        "version: 1\nengine:\n  host: h\n  error: none\nmodels: none\nlist:\n  - a: 1\n    b: 2\n  - 3\n"
    )


def test_status_can_be_had_as_json(daemon: None, file: Path) -> None:
    assert json.loads(ia0("status", "--json", "--config", file).stdout) == STATUS


def test_the_socket_can_be_named(daemon: None, tmp_path: Path) -> None:
    assert ia0("status", "--socket", tmp_path / "ia0.sock").exit_code == 0


def test_a_refused_reload_fails_and_tells_the_faults(daemon: None, file: Path) -> None:
    result = ia0("reload", "--config", file)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "reload: the configuration is wrong; the old one stays",
        "  a.b: is not a setting",
    ]


def test_the_daemon_is_reached_although_the_file_is_wrong(daemon: None, file: Path) -> None:
    file.write_text(file.read_text().replace("[server]", "[server]\nthread = 3"))
    assert ia0("status", "--config", file).exit_code == 0


def test_without_a_daemon_the_configuration_that_named_the_socket_is_told(file: Path) -> None:
    result = ia0("status", "--config", file)
    assert result.exit_code == 1
    assert "is the daemon running?" in result.stderr
    assert f"server.socket_path, {file}" in result.stderr


def test_without_a_configuration_the_socket_is_asked_for(tmp_path: Path) -> None:
    result = ia0("reload", "--config", tmp_path / "no.toml")
    assert result.exit_code == 1
    assert "--socket PATH" in result.stderr


@pytest.mark.parametrize("args", [["nonsense"], ["config", "check", "a", "b"], ["status", "--nonsense"]])
def test_wrong_usage_is_exit_code_2(args: list[str]) -> None:
    assert ia0(*args).exit_code == 2


def test_serve_refuses_a_wrong_configuration(file: Path) -> None:
    file.write_text("x = 1")
    result = ia0("serve", "--config", file)
    assert result.exit_code == 1
    assert "x: is not a setting" in result.stderr


def test_the_command_loads_no_web_server_where_it_needs_none() -> None:
    code = "import sys, ia0_daemon.cli; print(sorted({'flask', 'waitress', 'requests'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_package_can_be_run() -> None:
    command = [sys.executable, "-m", "ia0_daemon", "version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"ia0 {__version__}\n"
    )
