"""A store that is away costs one request its timeout and a line in the log, and no request its answer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import valkey
from valkey.exceptions import ConnectionError as Gone
from valkey.exceptions import OutOfMemoryError

from ia0_daemon.gateway.answer_cache import AnswerCache
from ia0_daemon.gateway.answer_store import PAUSE_S, AnswerStore, StoreError, open_store, shown, store_url
from ia0_daemon.settings.schema import Cache, Shared
from ia0_daemon.settings.units import Bytes, Seconds

KEY = b"k" * 32


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeValkey:
    """What the client of a store does, with errors where the test wants them."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.error: Exception | None = None
        self.set_error: Exception | None = None
        self.asked = 0
        self.ages_ms: list[int] = []

    def get(self, name: bytes) -> bytes | None:
        self._ask(self.error)
        return self.values.get(name)

    def set(self, name: bytes, value: bytes, px: int) -> None:
        self._ask(self.error or self.set_error)
        self.values[name] = value
        self.ages_ms.append(px)

    def _ask(self, error: Exception | None) -> None:
        self.asked += 1
        if error is not None:
            raise error


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client() -> FakeValkey:
    return FakeValkey()


@pytest.fixture
def store(client: FakeValkey, clock: Clock) -> AnswerStore:
    return a_store(client, clock)


def a_store(client: FakeValkey, clock: Clock) -> AnswerStore:
    return AnswerStore(cast("valkey.Valkey", client), "ia0", "valkey://10.0.0.7:6379", clock)


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records]


def test_values_end_by_themselves_and_bear_the_prefix(store: AnswerStore, client: FakeValkey) -> None:
    assert store.put("answer", KEY, b"value", max_age_s=1.5)
    assert store.get("answer", KEY) == b"value"
    assert store.get("other", KEY) is None
    assert (list(client.values), client.ages_ms) == ([b"ia0:answer:" + KEY.hex().encode()], [1500])


@pytest.mark.parametrize(
    "error", [Gone("gone"), valkey.TimeoutError("slow"), OSError("oh"), ValueError("no Valkey")]
)
def test_a_store_that_is_away_is_asked_once_and_then_left_alone(
    store: AnswerStore, client: FakeValkey, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    client.error = error
    assert [store.get("answer", KEY) for _ in range(5)] == [None] * 5
    assert not store.put("answer", KEY, b"value", 60)
    assert client.asked == 1
    assert not store.is_there
    assert events(caplog) == ["answer_store_away"]


def test_after_the_pause_one_request_tries_and_the_others_do_not_wait_for_it(
    client: FakeValkey, clock: Clock
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(FakeValkey):
        def get(self, name: bytes) -> bytes | None:
            begun.set()
            assert goes_on.wait(30)
            return super().get(name)

    slow = Slow()
    store = a_store(slow, clock)
    slow.error = Gone("gone")
    goes_on.set()
    store.get("answer", KEY)
    begun.clear()
    goes_on.clear()
    clock.now += PAUSE_S
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(store.get, "answer", KEY)
        assert begun.wait(30)
        assert [store.get("answer", KEY) for _ in range(5)] == [None] * 5
        goes_on.set()
        probe.result(30)
    assert slow.asked == 2


def test_it_comes_back_by_itself_and_both_are_said_once(
    store: AnswerStore, client: FakeValkey, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store.put("answer", KEY, b"value", 60)
    client.error = Gone("gone")
    for _ in range(10):
        store.get("answer", KEY)
        clock.now += PAUSE_S
    client.error = None
    assert [store.get("answer", KEY) for _ in range(3)] == [b"value"] * 3
    assert store.is_there
    assert events(caplog) == ["answer_store_away", "answer_store_back"]


def test_a_store_that_is_full_still_gives(
    store: AnswerStore, client: FakeValkey, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store.put("answer", KEY, b"value", 60)
    client.set_error = OutOfMemoryError("full")
    for _ in range(10):
        assert not store.put("answer", KEY, b"newer", 60)
        assert store.get("answer", KEY) == b"value"
        clock.now += PAUSE_S / 2
    assert store.is_there
    client.set_error = None
    clock.now += PAUSE_S
    assert store.put("answer", KEY, b"newer", 60)
    assert events(caplog) == ["answer_store_keeping_away", "answer_store_keeping_back"]


def test_a_store_that_goes_away_while_it_is_full_is_tried_again(
    store: AnswerStore, client: FakeValkey, clock: Clock
) -> None:
    client.set_error = OutOfMemoryError("full")
    store.put("answer", KEY, b"value", 60)
    client.error = Gone("gone")
    clock.now += PAUSE_S
    assert not store.put("answer", KEY, b"value", 60)
    assert not store.put("answer", KEY, b"value", 60)
    client.error = client.set_error = None
    clock.now += PAUSE_S
    assert store.put("answer", KEY, b"value", 60)


def test_the_log_names_the_store_without_its_password(
    store: AnswerStore, client: FakeValkey, caplog: pytest.LogCaptureFixture
) -> None:
    client.error = Gone("Error 111 connecting to 10.0.0.7:6379.")
    store.get("answer", KEY)
    assert caplog.records[0].__dict__["store"] == "valkey://10.0.0.7:6379"
    assert shown("rediss://user:secret@[::1]/3?db=1") == "rediss://[::1]:6379"


def test_without_an_address_there_is_no_store() -> None:
    assert open_store(Shared()) is None


@pytest.mark.parametrize("scheme", ["valkey", "valkeys", "redis", "rediss"])
def test_a_client_is_bound_by_the_timeout_and_checks_who_answers(scheme: str) -> None:
    store = open_store(Shared(url=f"{scheme}://u:p@127.0.0.1:1/2", timeout_s=Seconds(0.5)))
    assert store is not None
    options: dict[str, Any] = store._client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"], options["db"]) == (0.5, 0.5, 2)
    assert options.get("ssl_check_hostname", False) == (scheme in ("valkeys", "rediss"))
    assert store.get("answer", KEY) is None


def test_the_address_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("valkey://:word@10.0.0.7/1\n")
    assert store_url(Shared(url_file=str(path))) == "valkey://:word@10.0.0.7/1"


@pytest.mark.parametrize("content", [b"", b"http://x", b"valkey://a\nvalkey://b", b"\xff", None])
def test_a_file_without_an_address_is_refused_by_name_and_its_content_is_not_told(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "url"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"shared\.url_file: .*url") as refusal:
        open_store(Shared(url_file=str(path)))
    assert "http" not in str(refusal.value)
    assert "//a" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "valkey://:secret@h/0?socket_timeout=60",
        "valkey://:secret@h/0?decode_responses=true",
        "valkey://:secret@h/0?ssl_ca_certs=/x",
        "valkeys://:secret@h/0?ssl_cert_reqs=perhaps",
        "valkey://:secret@h/?db=x",
    ],
)
def test_options_that_cannot_be_used_are_refused_at_the_start(url: str) -> None:
    with pytest.raises(StoreError, match=r"shared\.url: ") as refusal:
        open_store(Shared(url=url))
    assert "secret" not in str(refusal.value)


class Wall(Clock):
    """A host's time of day."""


def two_daemons(client: FakeValkey, clock: Clock, wall: Clock, max_age_s: float = 60) -> list[AnswerCache]:
    settings = Cache(max_bytes=Bytes(100_000), max_entry_bytes=Bytes(50_000), max_age_s=Seconds(max_age_s))
    return [AnswerCache(settings, a_store(client, clock), clock, wall) for _ in range(2)]


def test_what_one_daemon_kept_another_gives_and_then_from_its_own_memory(
    client: FakeValkey, clock: Clock
) -> None:
    one, other = two_daemons(client, clock, Wall())
    one.put(KEY, b"answer")
    assert [other.get(KEY) for _ in range(3)] == [b"answer"] * 3
    assert client.asked == 2
    assert (other.stats().hits, other.stats().shared_hits, other.stats().misses) == (3, 1, 0)


def test_a_copy_does_not_outlive_the_answer(client: FakeValkey, clock: Clock) -> None:
    wall = Wall()
    one, other = two_daemons(client, clock, wall)
    one.put(KEY, b"answer")
    clock.now += 50
    wall.now += 50
    assert other.get(KEY) == b"answer"
    clock.now += 10
    wall.now += 10
    assert other.get(KEY) is None
    assert client.asked == 3


@pytest.mark.parametrize("foreign", [b"", b"x", b"something else that is longer", b"ia0\x01"])
def test_what_is_not_ours_in_the_store_is_not_there(client: FakeValkey, clock: Clock, foreign: bytes) -> None:
    one, _ = two_daemons(client, clock, Wall())
    client.values[b"ia0:answer:" + KEY.hex().encode()] = foreign
    assert one.get(KEY) is None


def test_without_its_store_a_daemon_keeps_in_memory(client: FakeValkey, clock: Clock) -> None:
    one, _ = two_daemons(client, clock, Wall())
    client.error = Gone("gone")
    assert one.put(KEY, b"answer")
    assert one.get(KEY) == b"answer"
