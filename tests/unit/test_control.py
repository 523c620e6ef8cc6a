"""The control socket: who may ask, what is bounded, and what is left behind."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ia0_daemon import control
from ia0_daemon.control import CommandError, ControlServer, check_peer
from ia0_daemon.control_client import ControlError, call
from ia0_daemon.control_file import SocketInUseError, connect


def _refuse(args: control.Args) -> object:
    raise CommandError("the new configuration is refused", ["a: b"])


def _break(args: control.Args) -> object:
    raise ZeroDivisionError("oh")


COMMANDS = {"echo": lambda args: args, "refuse": _refuse, "break": _break}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ia0.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    server = ControlServer(path, COMMANDS, request_timeout_s=0.5)
    server.start()
    yield server
    server.stop()


def raw(path: Path, request: bytes) -> dict[str, object]:
    with connect(path, 5) as connection:
        connection.sendall(request)
        answer: dict[str, object] = json.loads(connection.makefile("rb").readline())
        return answer


def test_a_command_gets_its_arguments_and_answers(server: ControlServer, path: Path) -> None:
    assert call(path, "echo", args={"a": [1]}) == {"a": [1]}


def test_arguments_may_be_left_out(server: ControlServer, path: Path) -> None:
    assert raw(path, b'{"command": "echo"}\n') == {"ok": True, "result": {}}


def test_a_refusal_reaches_the_person_with_its_details(server: ControlServer, path: Path) -> None:
    with pytest.raises(ControlError, match="is refused") as refused:
        call(path, "refuse")
    assert refused.value.details == ["a: b"]


def test_a_defect_of_a_handler_is_told_and_logged(
    server: ControlServer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ControlError, match="failed inside the daemon"):
        call(path, "break")
    assert "ZeroDivisionError" in caplog.text
    assert call(path, "echo") == {}


def test_an_unknown_command_is_told_what_there_is(server: ControlServer, path: Path) -> None:
    with pytest.raises(ControlError, match="'reboot'") as refused:
        call(path, "reboot")
    assert refused.value.details == ["known: break, echo, refuse"]


@pytest.mark.parametrize(
    "request_line",
    [
        b"\n",
        b"reload\n",
        b"[]\n",
        b"1\n",
        b'{"command": 1}\n',
        b'{"command": "echo", "args": []}\n',
        b'{"command": "echo", "more": 1}\n',
        b"\xff\xfe\n",
        b"[" * 5000 + b"\n",
    ],
)
def test_what_is_no_request_is_refused(server: ControlServer, path: Path, request_line: bytes) -> None:
    answer = raw(path, request_line)
    assert answer["ok"] is False
    assert "request is not" in str(answer["error"])


def test_a_request_is_bounded_in_size(server: ControlServer, path: Path) -> None:
    answer = raw(path, b"x" * (control.LONGEST_REQUEST_BYTES + 1))
    assert "longer than" in str(answer["error"])


def test_a_request_is_bounded_in_time(server: ControlServer, path: Path) -> None:
    answer = raw(path, b'{"command": ')
    assert "too long" in str(answer["error"])


def test_whoever_hangs_up_halfway_harms_nobody(server: ControlServer, path: Path) -> None:
    connect(path, 5).close()
    assert call(path, "echo") == {}


def test_no_more_than_a_few_are_answered_at_once(path: Path) -> None:
    release, started = threading.Event(), threading.Semaphore(0)

    def wait(args: control.Args) -> object:
        started.release()
        return release.wait(10)

    server = ControlServer(path, {"wait": wait})
    server.start()
    askers = [threading.Thread(target=call, args=(path, "wait", 10)) for _ in range(control.MOST_AT_ONCE)]
    try:
        for asker in askers:
            asker.start()
        for _ in askers:
            assert started.acquire(timeout=10)
        with pytest.raises(ControlError, match="try again"):
            call(path, "wait")
    finally:
        release.set()
        for asker in askers:
            asker.join(10)
        server.stop()


def test_a_seat_is_free_again_after_its_answer(server: ControlServer, path: Path) -> None:
    for command in ["echo", "refuse", "break"] * control.MOST_AT_ONCE:
        # The seat is given back just after the answer, so one that asks at once may meet a few of them still.
        with suppress(ControlError):
            call(path, command)
    assert call(path, "echo") == {}


@pytest.mark.parametrize("uid", [0, 1000])
def test_root_and_the_daemons_own_user_may_ask(uid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    check_peer(1, uid)


def test_every_other_user_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CommandError, match="user 4242 may not"):
        check_peer(1, 4242)
    assert "4242" in caplog.text


def test_the_kernel_says_who_asks() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert control.peer(one) == (os.getpid(), os.geteuid())


def test_only_owner_and_group_can_open_the_file(server: ControlServer, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_stop_leaves_no_file(server: ControlServer, path: Path) -> None:
    server.stop()
    assert list(path.parent.iterdir()) == []


def test_stop_twice_and_start_again_work(server: ControlServer, path: Path) -> None:
    server.stop()
    server.stop()
    server.start()
    assert call(path, "echo") == {}


def test_stop_spares_the_file_of_a_successor(server: ControlServer, path: Path) -> None:
    path.unlink()
    successor = ControlServer(path, COMMANDS)
    successor.start()
    server.stop()
    assert call(path, "echo") == {}
    successor.stop()


def test_the_file_of_a_dead_daemon_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = ControlServer(path, COMMANDS)
    server.start()
    assert call(path, "echo") == {}
    server.stop()


def test_a_living_daemon_keeps_its_socket(server: ControlServer, path: Path) -> None:
    with pytest.raises(SocketInUseError, match="another daemon answers"):
        ControlServer(path, COMMANDS).start()
    assert call(path, "echo") == {}
    assert [entry.name for entry in path.parent.iterdir()] == ["ia0.sock"]


def test_a_file_that_is_no_socket_is_spared(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(SocketInUseError, match="no socket"):
        ControlServer(path, COMMANDS).start()
    assert path.read_text() == "precious"


def test_a_path_longer_than_the_kernel_takes_works(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    server = ControlServer(folder / "ia0.sock", COMMANDS)
    server.start()
    assert call(folder / "ia0.sock", "echo") == {}
    server.stop()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        ControlServer(tmp_path / "no" / "ia0.sock", COMMANDS).start()


@pytest.mark.parametrize("name", ["ia0.sock", "no/such/ia0.sock"])
def test_without_a_socket_the_command_asks_whether_the_daemon_runs(tmp_path: Path, name: str) -> None:
    with pytest.raises(ControlError, match=r"is the daemon running\?") as failed:
        call(tmp_path / name, "status", told_by="server.socket_path in ia0.toml")
    assert "server.socket_path in ia0.toml" in str(failed.value)


def test_a_dead_socket_is_told_from_a_missing_one(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="nobody answers"):
        call(path, "status")


def test_a_daemon_that_says_nothing_is_given_up(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(ControlError, match="did not answer within"):
            call(path, "status", timeout_s=0.05)


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[]\n", b'{"ok": tr'])
def test_half_an_answer_is_no_answer(path: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        daemon.listen()

        def answer() -> None:
            connection, _ = daemon.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(line)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ControlError, match="broke off"):
            call(path, "status")
        thread.join(10)
