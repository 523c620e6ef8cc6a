"""The service file: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.local_services.errors import SpecError
from ia0_daemon.local_services.spec import environment_of, load

GOOD = """
name = "sleeper"
command = ["sleep", "1"]
directory = "/"
log_path = "/tmp/log"
run_path = "/tmp/run.json"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "service.toml"
    path.write_text(text)
    return path


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    service = load(written(tmp_path, GOOD + 'restart_on = ["/etc/x.toml#server"]'))
    assert (service.command, service.restart_on) == (("sleep", "1"), ("/etc/x.toml#server",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("comand = []", "unknown field `comand`"),
        ("stop_timeout_s = 0", "stop_timeout_s"),
        ('restart_on = ["relative"]', "restart_on"),
        ("command =", "service.toml"),
    ],
)
def test_a_wrong_file_is_refused_by_its_key(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load(written(tmp_path, GOOD + change))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_the_environment_file_comes_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "engine.env"
    file.write_text("# a comment\n\nOLLAMA_HOST=127.0.0.1:1\nA=b=c\n")
    text = GOOD + f'environment_files = ["{file}"]\nenvironment = {{OLLAMA_HOST = "127.0.0.1:2"}}'
    assert environment_of(load(written(tmp_path, text))) == {"OLLAMA_HOST": "127.0.0.1:2", "A": "b=c"}


def test_a_line_without_a_value_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "engine.env"
    file.write_text("OLLAMA_HOST\n")
    with pytest.raises(SpecError, match="'OLLAMA_HOST' is not NAME=value"):
        environment_of(load(written(tmp_path, GOOD + f'environment_files = ["{file}"]')))
