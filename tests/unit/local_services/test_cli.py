"""What the roles and the Makefile read from the command."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from ia0_daemon.local_services import manager
from ia0_daemon.local_services.cli import main
from tests.unit.local_services.conftest import MakeService


@pytest.fixture
def file(make_service: MakeService, tmp_path: Path) -> Path:
    """A service file."""
    fields = msgspec.to_builtins(make_service()).items()
    path = tmp_path / "sleeper.toml"
    # Every field but the empty table is written alike in JSON and TOML.
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in fields))
    return path


def ask(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_start_and_stop_print_what_ansible_reads(file: Path) -> None:
    outcomes = [json.loads(ask(word, file)[1]) for word in ("start", "start", "stop", "stop")]
    assert [outcome["changed"] for outcome in outcomes] == [True, False, True, False]
    assert [outcome["action"] for outcome in outcomes] == ["start", "keep", "stop", "keep"]


def test_a_fault_is_a_sentence_and_exit_code_one(tmp_path: Path) -> None:
    code, said = ask("start", tmp_path / "none.toml")
    assert (code, said.startswith("Error: ")) == (1, True)


def test_status_is_a_row_for_each_service_and_fails_where_what_is_set_up_does_not_run(
    file: Path, tmp_path: Path
) -> None:
    code, said = ask("status", file, tmp_path / "engine.toml")
    assert code == 1
    assert [line.split()[:2] for line in said.splitlines()[1:]] == [["sleeper", "stopped"], ["engine", "not"]]


def test_status_is_content_where_everything_that_is_set_up_runs(file: Path, tmp_path: Path) -> None:
    ask("start", file)
    code, said = ask("status", file, tmp_path / "engine.toml")
    assert code == 0
    assert [line.split()[:2] for line in said.splitlines()[1:]] == [["sleeper", "running"], ["engine", "not"]]
    assert ask("status", tmp_path / "engine.toml")[0] == 1


def test_port_fails_for_a_taken_one_and_says_who(make_service: MakeService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        code, said = ask("port", address, "--own", make_service().run_path)
    assert (code, f"{address} is taken by pid" in said) == (1, True)


def test_port_passes_for_what_the_own_service_has(python_service: MakeService, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    service = python_service(
        "from http.server import HTTPServer, SimpleHTTPRequestHandler; "
        f"HTTPServer(('127.0.0.1', {port}), SimpleHTTPRequestHandler).serve_forever()",
        ready_url=f"http://127.0.0.1:{port}/",
    )
    manager.start(service)
    assert ask("port", f"127.0.0.1:{port}", "--own", service.run_path) == (0, "")


def test_a_port_that_is_none_is_refused() -> None:
    assert ask("port", "8080")[0] == 2
