"""Kept answers in a real Redis or Valkey: shared, ended by age, and not missed while it is away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ia0_daemon.gateway.answer_cache import AnswerCache, cache_key
from ia0_daemon.gateway.answer_store import AnswerStore, open_store
from ia0_daemon.settings.schema import Cache, Shared
from ia0_daemon.settings.units import Seconds
from tests.kept_store import PROGRAMS, KeptStore, program

pytestmark = pytest.mark.skipif(
    program() is None and "CI" not in os.environ, reason=f"none of {', '.join(PROGRAMS)} is installed"
)
KEY = cache_key("sha256:0", "/api/chat", {"prompt": "Hi"})
WORD = "a-word"


class Clock:
    """Time that runs, and that a test moves on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[KeptStore]:
    with KeptStore(tmp_path, "--requirepass", WORD) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(port: int, word: str = WORD, scheme: str = "valkey", options: str = "") -> AnswerStore:
    url = f"{scheme}://:{word}@127.0.0.1:{port}/0{options}"
    store = open_store(Shared(url=url, timeout_s=Seconds(0.5)))
    assert store is not None
    return store


def cache_of(store: AnswerStore, clock: Clock, max_age_s: float = 3600) -> AnswerCache:
    for reach in (store._reach, store._keeping):
        reach._clock = clock
    return AnswerCache(Cache(max_age_s=Seconds(max_age_s)), store, clock)


def test_daemons_share_what_they_keep(redis: KeptStore, clock: Clock) -> None:
    one, other = (cache_of(opened(redis.port, scheme=scheme), clock) for scheme in ("valkey", "redis"))
    value = bytes(range(256)) * 1000
    assert one.put(KEY, value)
    assert other.get(KEY) == value
    assert other.stats().shared_hits == 1


def test_the_store_ends_an_answer_when_its_age_does(redis: KeptStore, clock: Clock) -> None:
    store = opened(redis.port)
    cache_of(store, clock, max_age_s=1000).put(KEY, b"answer")
    name = store._full("answer", KEY)
    assert name.startswith(b"ia0:answer:")
    left_ms = store._client.pttl(name)
    assert isinstance(left_ms, int)
    assert 900_000 < left_ms <= 1_000_000


def test_many_threads_share_the_connections(redis: KeptStore, clock: Clock) -> None:
    store = opened(redis.port)

    def use(number: int) -> bool:
        key = cache_key("d", "p", {"n": number % 50})
        store.put("answer", key, key, 60)
        return store.get("answer", key) == key

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(use, range(1000)))
    assert store._client.connection_pool._created_connections <= 16
    store.close()


def test_a_store_that_was_stopped_is_used_again_once_it_runs(redis: KeptStore, clock: Clock) -> None:
    store = opened(redis.port)
    cache = cache_of(store, clock)
    assert cache.put(KEY, b"answer")
    redis.stop()
    assert cache.get(cache_key("d", "p", {})) is None
    assert not store.is_there
    assert cache.get(KEY) == b"answer"
    redis.start()
    clock.ahead_s += 5
    assert cache.put(KEY, b"answer again")
    assert cache_of(opened(redis.port), clock).get(KEY) == b"answer again"
    assert store.is_there


def test_a_store_that_restarts_between_two_requests_is_not_missed(redis: KeptStore, clock: Clock) -> None:
    store = opened(redis.port)
    assert store.put("answer", KEY, b"value", 60)
    redis.stop()
    redis.start()
    assert store.put("answer", KEY, b"value", 60)
    assert store.get("answer", KEY) == b"value"


def test_a_store_that_hangs_costs_one_request_its_timeout(redis: KeptStore, clock: Clock) -> None:
    store = opened(redis.port)
    cache = cache_of(store, clock)
    assert cache.put(KEY, b"answer")
    redis.freeze()
    others = [cache_key("d", "p", {"n": number}) for number in range(2000)]
    began = time.monotonic()
    assert [cache.get(other) for other in others] == [None] * len(others)
    assert time.monotonic() - began < 100  # 2,000 timeouts of half a second would be 1,000
    assert not store.is_there
    redis.thaw()
    clock.ahead_s += 5
    assert store.get("answer", KEY) is not None


@pytest.mark.parametrize("word", ["another", ""])
def test_a_store_that_refuses_the_password_is_away(redis: KeptStore, clock: Clock, word: str) -> None:
    store = opened(redis.port, word)
    cache = cache_of(store, clock)
    assert cache.put(KEY, b"answer")
    assert cache.get(KEY) == b"answer"
    assert not store.is_there


def test_a_store_that_is_full_still_gives(tmp_path: Path, clock: Clock) -> None:
    with KeptStore(tmp_path, "--requirepass", WORD, "--maxmemory-policy", "noeviction") as redis:
        store = opened(redis.port)
        assert store.put("answer", KEY, b"value", 60)
        store._client.config_set("maxmemory", "1")
        assert not store.put("answer", KEY, b"newer", 60)
        assert store.get("answer", KEY) == b"value"
        assert store.is_there


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$abc\r\n", b"*1\r\n+\xff\r\n", b"+OK\r\n", b""]
)
def test_what_is_no_store_at_all_is_away(clock: Clock, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        cache = cache_of(opened(server.getsockname()[1]), clock)
        assert cache.put(KEY, b"answer")
        assert cache.get(KEY) == b"answer"
        thread.join(30)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_store_with_tls_is_reached_where_its_certificate_holds(tmp_path: Path, clock: Clock) -> None:
    right, wrong = _certificate(tmp_path, "IP:127.0.0.1"), _certificate(tmp_path, "IP:127.0.0.2")
    for certificate, reached in ((right, True), (wrong, False)):
        files = ["--tls-cert-file", certificate, "--tls-key-file", f"{certificate}.key"]
        with KeptStore(
            tmp_path, *files, "--tls-auth-clients", "no", "--requirepass", WORD, tls=True
        ) as redis:
            for scheme in ("valkeys", "rediss"):
                store = opened(redis.port, scheme=scheme, options=f"?ssl_ca_certs={certificate}")
                assert store.put("answer", KEY, b"value", 60) == reached
                store.close()


def _certificate(folder: Path, name: str) -> str:
    path = folder / f"{name.replace(':', '-')}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    command += ["-addext", f"subjectAltName={name}", "-keyout", f"{path}.key", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return str(path)
