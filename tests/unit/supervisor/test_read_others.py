"""GPUs, disks, pulls and the children's own word: what is not there loses no sample."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from ia0_daemon.supervisor.read_disks import read_disks
from ia0_daemon.supervisor.read_gpus import RETRY_READS, Gpus
from ia0_daemon.supervisor.read_loaded import has_loaded
from ia0_daemon.supervisor.read_pull import STALLED_S, PullWatch
from tests.engine_process import free_port
from tests.unit.supervisor.memory_builders import GIB


class NVMLError(Exception):
    """As pynvml has it."""


class FakeNvml:
    """Two cards, of which some do not answer."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, lost: tuple[int, ...] = (), *, has_driver: bool = True) -> None:
        self.lost, self.has_driver, self.opened, self.closed = lost, has_driver, 0, 0
        self.cards = 2

    def nvmlInit(self) -> None:
        self.opened += 1
        if not self.has_driver:
            raise NVMLError("Driver Not Loaded")

    def nvmlShutdown(self) -> None:
        self.closed += 1

    def nvmlDeviceGetCount(self) -> int:
        if self.cards < 0:
            raise NVMLError("Uninitialized")
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index in self.lost:
            raise NVMLError("GPU is lost")
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=24 * GIB, used=handle * GIB)

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"Card"

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:
        raise NVMLError("Not Supported")

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 40 + handle


def test_each_card_is_read_and_what_it_cannot_tell_is_left_open() -> None:
    cards = Gpus(FakeNvml).read()
    assert [(card.index, card.name, card.uuid, card.used_bytes) for card in cards] == [
        (0, "Card", "GPU-0", 0),
        (1, "Card", "GPU-1", GIB),
    ]
    assert (cards[1].utilization_percent, cards[1].temperature_c, cards[1].free_bytes) == (None, 41, 23 * GIB)


def test_a_lost_card_loses_no_other() -> None:
    assert [card.index for card in Gpus(lambda: FakeNvml(lost=(0,))).read()] == [1]


def test_without_the_package_there_are_no_gpus() -> None:
    assert Gpus(lambda: None).read() == ()


def test_without_a_driver_there_are_no_gpus_and_it_is_tried_again_later() -> None:
    nvml = FakeNvml(has_driver=False)
    gpus = Gpus(lambda: nvml)
    assert gpus.read() == ()
    nvml.has_driver = True
    found = [bool(gpus.read()) for _ in range(RETRY_READS + 1)]
    assert found == [False] * RETRY_READS + [True]
    assert nvml.opened == 2


def test_a_driver_that_is_reloaded_is_opened_again() -> None:
    nvml = FakeNvml()
    gpus = Gpus(lambda: nvml)
    gpus.read()
    nvml.cards = -1
    assert gpus.read() == ()
    nvml.cards = 1
    assert len(gpus.read()) == 1
    assert (nvml.opened, nvml.closed) == (2, 1)


def test_this_machines_real_cards_or_none() -> None:
    gpus = Gpus()
    assert all(card.total_bytes > 0 for card in gpus.read())
    gpus.close()


def test_a_folder_that_is_not_there_yet_stands_for_the_one_above(tmp_path: Path) -> None:
    disks = read_disks([str(tmp_path / "not/yet"), str(tmp_path), str(tmp_path), ""])
    assert [disk.path for disk in disks] == [str(tmp_path / "not/yet"), str(tmp_path)]
    assert 0 < disks[0].free_bytes <= disks[0].total_bytes


class Pull:
    """A models folder and a clock."""

    def __init__(self, models: Path) -> None:
        self.now = 0.0
        self.models = models
        (models / "blobs").mkdir()
        self.watch = PullWatch(lambda: self.now)

    def write(self, name: str, text: str) -> None:
        (self.models / "blobs" / name).write_text(text)

    def look(self) -> bool:
        return self.watch.is_pulling(str(self.models))


@pytest.fixture
def pull(tmp_path: Path) -> Pull:
    return Pull(tmp_path)


def test_a_part_that_changes_is_a_pull(pull: Pull) -> None:
    pull.write("sha256-aa-partial", "")
    assert not pull.look()
    pull.write("sha256-aa-partial-0", "{}")
    assert pull.look()


def test_a_part_that_appears_is_a_pull(pull: Pull) -> None:
    assert not pull.look()
    pull.write("sha256-aa-partial", "x")
    assert pull.look()


def test_a_part_that_no_longer_changes_is_none(pull: Pull) -> None:
    pull.look()
    pull.write("sha256-aa-partial", "x")
    assert pull.look()
    pull.now = STALLED_S
    assert pull.look()
    pull.now = STALLED_S + 1
    assert not pull.look()


def test_whole_blobs_and_unknown_folders_are_no_pull(pull: Pull) -> None:
    pull.look()
    pull.write("sha256-aa", "x")
    assert not pull.look()
    assert not pull.watch.is_pulling("")
    assert not pull.watch.is_pulling("/nowhere")


Answer = tuple[int, bytes]


@contextmanager
def answering(answer: Answer) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health"
            self.send_response(answer[0])
            self.end_headers()
            self.wfile.write(answer[1])

        log_message: Callable[..., None] = lambda *_: None  # a method that is silent

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield server.server_port
        thread.join()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ((200, b'{"status":"ok"}'), True),
        ((503, b'{"error":{"code":503,"message":"Loading model"}}'), False),
        ((200, b'{"status":0,"progress":1}'), True),
        ((200, b'{"status":1,"progress":1}'), True),
        ((200, b'{"status":2,"progress":0.4}'), False),
        ((200, b"<html>"), None),
        ((200, b"[]"), None),
        ((404, b""), None),
    ],
)
def test_a_childs_word_is_understood(answer: Answer, meaning: bool | None) -> None:
    with answering(answer) as port:
        assert has_loaded(port, timeout_s=10) is meaning


def test_a_child_that_does_not_listen_has_not_said() -> None:
    assert has_loaded(free_port()) is None
