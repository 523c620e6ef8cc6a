"""``ia0 supervisor explain`` prints what the daemon says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from ia0_daemon.cli import main
from ia0_daemon.control import ControlServer


@contextmanager
def daemon(path: Path, answer: Callable[[], object]) -> Iterator[None]:
    server = ControlServer(str(path), {"explain": lambda _: answer()})
    server.start()
    try:
        yield
    finally:
        server.stop()


def explain(path: Path) -> Result:
    return CliRunner().invoke(main, ["supervisor", "explain", "--socket", str(path)])


def test_the_account_is_printed_line_by_line(tmp_path: Path) -> None:
    with daemon(tmp_path / "s", lambda: ["Verdict: ok", "  nothing"]):
        result = explain(tmp_path / "s")
    assert (result.exit_code, result.stdout) == (0, "Verdict: ok\n  nothing\n")


def test_another_answer_is_a_failure(tmp_path: Path) -> None:
    with daemon(tmp_path / "s", lambda: {"a": 1}):
        result = explain(tmp_path / "s")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "another version" in result.stderr


def test_without_a_daemon_it_fails_and_says_so(tmp_path: Path) -> None:
    assert explain(tmp_path / "s").exit_code == 1
