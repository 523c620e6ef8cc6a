"""Limits that daemons share in a real Redis: one count, going on without it, and finding it again."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ia0_daemon.errors import RateLimited
from ia0_daemon.gateway.limits import Limiter
from ia0_daemon.gateway.shared_store import StoreState, open_store
from ia0_daemon.settings.schema import ApiKey, Shared
from ia0_daemon.settings.units import Seconds
from tests.certificate import certificate
from tests.store_process import StoreProcess

_LIMIT_S = 60.0
# A store that stands still for a moment is not to be taken for one that is away.
TIMEOUT_S = 10.0
LOOK_S = 0.05

Make = Callable[..., Limiter]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path) as running:
        yield running


@contextmanager
def limiter_at(**shared: object) -> Iterator[Limiter]:
    """The limiter of a daemon, with a store of its own."""
    store = open_store(Shared(**{"timeout_s": Seconds(TIMEOUT_S), **shared}), LOOK_S)
    assert store is not None
    limiter = Limiter(store, "")
    store.start()
    try:
        yield limiter
    finally:
        limiter.close()
        store.close()


@pytest.fixture
def make(store: StoreProcess) -> Iterator[Make]:
    """Make the limiter of one more daemon."""
    with ExitStack() as made:
        yield lambda **changes: made.enter_context(limiter_at(**{"url": store.url, **changes}))


def key(**limits: int) -> ApiKey:
    return ApiKey(name="shop", sha256="0" * 64, **limits)


def enters(limiter: Limiter, of: ApiKey) -> bool:
    try:
        limiter.enter(ExitStack(), of)
    except RateLimited:
        return False
    return True


def wait_until(limiter: Limiter, *, up: bool) -> None:
    wait_for(lambda: limiter.shared_state is not None and limiter.shared_state.is_up is up)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)  # between two looks


def test_two_daemons_count_requests_as_one(make: Make) -> None:
    one, other = make(), make()
    shop = key(requests_per_minute=4)
    assert [enters(limiter, shop) for limiter in (one, other, one, other, one, other)] == [True] * 4 + [
        False
    ] * 2


def test_two_daemons_count_tokens_as_one(make: Make) -> None:
    one, other = make(), make()
    shop = key(tokens_per_minute=1000, tokens_per_day=100)
    one.settle(shop, 60)
    assert enters(other, shop)
    other.settle(shop, 60)
    for limiter in (one, other):
        with pytest.raises(RateLimited) as refused:
            limiter.enter(ExitStack(), shop)
        assert refused.value.details["limit"] == "tokens_per_day"


def test_many_threads_of_two_daemons_take_exactly_the_limit(make: Make) -> None:
    limiters, shop, taken = (make(), make()), key(requests_per_minute=50), []

    def work(limiter: Limiter) -> None:
        taken.extend(enters(limiter, shop) for _ in range(20))

    threads = [threading.Thread(target=work, args=(limiter,)) for limiter in limiters * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), sum(taken)) == (120, 50)


def test_the_days_tokens_outlive_a_restart_of_the_daemon(make: Make, store: StoreProcess) -> None:
    with limiter_at(url=store.url) as first:
        first.settle(key(tokens_per_day=10), 10)
    assert not enters(make(), key(tokens_per_day=10))


def test_everything_there_bears_the_prefix_and_is_forgotten_in_time(make: Make, store: StoreProcess) -> None:
    limiter = make(prefix="fleet-a")
    shop = key(requests_per_minute=10, tokens_per_minute=100, tokens_per_day=100)
    enters(limiter, shop)
    limiter.settle(shop, 5)
    client = store.client()
    names = client.keys()
    assert len(names) >= 3
    assert all(name.startswith("fleet-a:") for name in names)
    assert all(client.ttl(name) > 0 for name in names)
    client.close()


def test_fleets_with_prefixes_of_their_own_do_not_share(make: Make) -> None:
    shop = key(requests_per_minute=1)
    assert enters(make(prefix="a"), shop)
    assert enters(make(prefix="b"), shop)


@pytest.mark.parametrize(("word", "up"), [("hush", True), ("wrong-word", False)])
def test_a_password_is_taken_and_a_wrong_one_is_a_store_that_is_away(
    tmp_path: Path, word: str, up: bool
) -> None:
    process = StoreProcess(tmp_path, "--requirepass", "hush")
    url = process.url.replace("://", f"://:{word}@")
    with process, limiter_at(url=url) as limiter:
        assert enters(limiter, key(requests_per_minute=5))
        assert limiter.shared_state is not None
        assert limiter.shared_state.is_up is up
        assert word not in limiter.shared_state.error


def test_the_way_to_the_store_may_be_tls(tmp_path: Path) -> None:
    own = certificate(tmp_path, "127.0.0.1")
    with StoreProcess(tmp_path, tls=own) as store:
        for scheme in ("rediss", "valkeys"):
            url = f"{scheme}://127.0.0.1:{store.port}/0?ssl_ca_certs={own.path}"
            with limiter_at(url=url) as limiter:
                enters(limiter, key(requests_per_minute=3))
                assert limiter.shared_state == StoreState(is_up=True)


@pytest.mark.parametrize(("host", "trusted"), [("127.0.0.1", False), ("127.0.0.2", True)])
def test_a_store_that_is_not_who_it_should_be_is_away(tmp_path: Path, host: str, trusted: bool) -> None:
    """Its certificate is of nobody who is trusted, or of another host."""
    own = certificate(tmp_path, host)
    with StoreProcess(tmp_path, tls=own) as store:
        options = f"?ssl_ca_certs={own.path}" if trusted else ""
        url = f"rediss://127.0.0.1:{store.port}/0{options}"
        with limiter_at(url=url) as limiter:
            assert enters(limiter, key(requests_per_minute=3))
            assert limiter.shared_state is not None
            assert "certificate verify failed" in limiter.shared_state.error


def test_the_address_may_stand_in_a_file(make: Make, store: StoreProcess, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{store.url}\n")
    shop = key(requests_per_minute=1)
    assert enters(make(url="", url_file=str(tmp_path / "url")), shop)
    assert not enters(make(), shop)


def test_where_the_store_goes_each_daemon_has_limits_of_its_own(make: Make, store: StoreProcess) -> None:
    one, other, shop = make(), make(), key(requests_per_minute=2)
    assert enters(one, shop)
    assert enters(other, shop)
    store.kill()
    assert [enters(limiter, shop) for limiter in (one, one, one, other, other, other)] == [
        True,
        True,
        False,
    ] * 2


def test_it_says_once_that_the_store_is_away_and_once_that_it_is_back(
    make: Make, store: StoreProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ia0_daemon")
    limiter = make()
    assert enters(limiter, key(requests_per_minute=1000))
    store.kill()
    for _ in range(50):
        enters(limiter, key(requests_per_minute=1000))
    wait_until(limiter, up=False)
    store.start()
    wait_until(limiter, up=True)
    wait_for(lambda: len(caplog.records) >= 2)  # it is said behind the change
    events = [(record.levelname, record.event) for record in caplog.records]
    assert events == [("WARNING", "shared_store_away"), ("INFO", "shared_store_back")]


def test_the_count_is_shared_again_when_the_store_is_back(make: Make, store: StoreProcess) -> None:
    one, other, shop = make(), make(), key(requests_per_minute=2)
    store.kill()
    enters(one, shop)
    enters(other, shop)
    store.start()
    for limiter in (one, other):
        wait_until(limiter, up=True)
    assert [enters(limiter, shop) for limiter in (one, other, one, other)] == [True, True, False, False]


def test_tokens_that_were_counted_without_the_store_are_handed_over(make: Make, store: StoreProcess) -> None:
    one, shop = make(), key(tokens_per_day=100)
    store.kill()
    one.settle(shop, 100)
    wait_until(one, up=False)
    store.start()
    wait_until(one, up=True)
    assert not enters(make(), shop)


def test_what_is_known_of_the_day_binds_without_the_store(make: Make, store: StoreProcess) -> None:
    one, other, shop = make(), make(), key(tokens_per_day=100)
    one.settle(shop, 60)
    other.settle(shop, 30)
    store.kill()
    assert enters(other, shop)
    other.settle(shop, 10)
    assert not enters(other, shop)


def test_a_store_that_answers_nothing_is_waited_for_once_and_not_by_each_request(
    make: Make, store: StoreProcess
) -> None:
    limiter, shop = make(timeout_s=Seconds(1)), key(requests_per_minute=1000)
    assert enters(limiter, shop)
    store.freeze()
    began = time.monotonic()
    for _ in range(100):
        enters(limiter, shop)
    assert time.monotonic() - began < 50  # 100 s, if each waited
    store.thaw()
    wait_until(limiter, up=True)


def test_a_store_that_cannot_be_written_is_away(make: Make, store: StoreProcess) -> None:
    client = store.client()
    client.config_set("maxmemory", "1")
    limiter = make()
    assert enters(limiter, key(requests_per_minute=5))
    wait_until(limiter, up=False)
    assert limiter.shared_state is not None
    assert "memory" in limiter.shared_state.error
    client.config_set("maxmemory", "0")
    wait_until(limiter, up=True)
    client.close()


def test_a_daemon_starts_without_the_store(make: Make, store: StoreProcess) -> None:
    store.kill()
    limiter, shop = make(), key(requests_per_minute=1)
    assert [enters(limiter, shop) for _ in range(2)] == [True, False]


def test_a_daemon_without_a_store_does_not_load_its_client() -> None:
    code = (
        "import sys; from ia0_daemon.settings.load import Source;"
        "from ia0_daemon.gateway.assemble import service_of;"
        "from ia0_daemon.gateway.shared_store import open_store;"
        "settings = Source(None, {'IA0_AUTH__USAGE_PATH': ''}).load();"
        "service_of(settings, open_store(settings.shared)).limiter.close();"
        "assert not {'limits', 'valkey'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=_LIMIT_S)
