"""Kept answers in a real Redis or Valkey: shared, ended by age, and not missed while it is away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from ia0_daemon.gateway.answer_cache import AnswerCache, cache_key
from ia0_daemon.gateway.answer_store import AnswerStore
from ia0_daemon.gateway.shared_store import SharedStore, open_store
from ia0_daemon.settings.schema import Cache, Shared
from ia0_daemon.settings.units import Seconds
from tests.certificate import certificate
from tests.store_process import StoreProcess

KEY = cache_key("sha256:0", "/api/chat", {"prompt": "Hi"})
WORD = "a-word"
# A store that stands still for a moment is not to be taken for one that hangs.
TIMEOUT_S = 5.0

Open = Callable[..., SharedStore]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path, "--requirepass", WORD) as running:
        yield running


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open the store at a port for one more daemon; it looks for its server when the test says so."""
    with ExitStack() as stores:

        def opened(port: int, word: str = WORD, scheme: str = "valkey", options: str = "") -> SharedStore:
            url = f"{scheme}://:{word}@127.0.0.1:{port}/0{options}"
            store = open_store(Shared(url=url, timeout_s=Seconds(TIMEOUT_S)))
            assert store is not None
            stores.callback(store.close)
            return store

        yield opened


def cache_of(store: SharedStore, max_age_s: float = 3600) -> AnswerCache:
    return AnswerCache(Cache(max_age_s=Seconds(max_age_s)), AnswerStore(store))


def test_daemons_share_what_they_keep(redis: StoreProcess, opened: Open) -> None:
    one, other = (cache_of(opened(redis.port, scheme=scheme)) for scheme in ("valkey", "redis"))
    value = bytes(range(256)) * 1000
    assert one.put(KEY, value)
    assert other.get(KEY) == value
    assert other.stats().shared_hits == 1


def test_the_store_ends_an_answer_when_its_age_does(redis: StoreProcess, opened: Open) -> None:
    store = opened(redis.port)
    cache_of(store, max_age_s=1000).put(KEY, b"answer")
    left_ms = store.client.pttl(b"ia0:answer:" + KEY.hex().encode())
    assert isinstance(left_ms, int)
    assert 900_000 < left_ms <= 1_000_000


def test_many_threads_share_the_connections(redis: StoreProcess, opened: Open) -> None:
    store = opened(redis.port)
    answers = AnswerStore(store)

    def use(number: int) -> bool:
        key = cache_key("d", "p", {"n": number % 50})
        answers.put("answer", key, key, 60)
        return answers.get("answer", key) == key

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(use, range(1000)))
    assert store.client.connection_pool._created_connections <= 16


def test_a_store_that_was_stopped_is_used_again_once_it_runs(redis: StoreProcess, opened: Open) -> None:
    store = opened(redis.port)
    cache = cache_of(store)
    assert cache.put(KEY, b"answer")
    redis.kill()
    assert cache.get(cache_key("d", "p", {})) is None
    assert not store.state.is_up
    assert cache.get(KEY) == b"answer"
    redis.start()
    store.look()
    assert cache.put(KEY, b"answer again")
    assert cache_of(opened(redis.port)).get(KEY) == b"answer again"


def test_a_store_that_restarts_between_two_requests_is_not_missed(redis: StoreProcess, opened: Open) -> None:
    answers = AnswerStore(opened(redis.port))
    assert answers.put("answer", KEY, b"value", 60)
    redis.kill()
    redis.start()
    assert answers.put("answer", KEY, b"value", 60)
    assert answers.get("answer", KEY) == b"value"


def test_a_store_that_hangs_costs_one_request_its_timeout(redis: StoreProcess, opened: Open) -> None:
    store = opened(redis.port)
    cache = cache_of(store)
    assert cache.put(KEY, b"answer")
    redis.freeze()
    others = [cache_key("d", "p", {"n": number}) for number in range(2000)]
    began = time.monotonic()
    assert [cache.get(other) for other in others] == [None] * len(others)
    assert time.monotonic() - began < 20 * TIMEOUT_S  # if each waited, it would be 2,000 of them
    assert not store.state.gives
    redis.thaw()
    store.look()
    assert AnswerStore(store).get("answer", KEY) is not None


@pytest.mark.parametrize("word", ["another", ""])
def test_a_store_that_refuses_the_password_is_away(redis: StoreProcess, opened: Open, word: str) -> None:
    store = opened(redis.port, word)
    cache = cache_of(store)
    assert cache.put(KEY, b"answer")
    assert cache.get(KEY) == b"answer"
    assert not store.state.is_up


def test_a_store_that_is_full_still_gives(tmp_path: Path, opened: Open) -> None:
    with StoreProcess(tmp_path, "--requirepass", WORD, "--maxmemory-policy", "noeviction") as redis:
        store = opened(redis.port)
        answers = AnswerStore(store)
        assert answers.put("answer", KEY, b"value", 60)
        store.client.config_set("maxmemory", "1")
        assert not answers.put("answer", KEY, b"newer", 60)
        store.look()
        assert answers.get("answer", KEY) == b"value"
        assert (store.state.is_up, store.state.gives) == (False, True)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$abc\r\n", b"*1\r\n+\xff\r\n", b"+OK\r\n", b""]
)
def test_what_is_no_store_at_all_is_away(opened: Open, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        store = opened(server.getsockname()[1])
        cache = cache_of(store)
        assert cache.put(KEY, b"answer")
        assert cache.get(KEY) == b"answer"
        assert not store.state.is_up
        thread.join(30)


@pytest.mark.parametrize(("host", "reached"), [("127.0.0.1", True), ("127.0.0.2", False)])
def test_a_store_with_tls_is_reached_where_its_certificate_holds(
    tmp_path: Path, opened: Open, host: str, reached: bool
) -> None:
    own = certificate(tmp_path, host)
    with StoreProcess(tmp_path, "--requirepass", WORD, tls=own) as redis:
        for scheme in ("valkeys", "rediss"):
            store = opened(redis.port, scheme=scheme, options=f"?ssl_ca_certs={own.path}")
            assert AnswerStore(store).put("answer", KEY, b"value", 60) == reached
