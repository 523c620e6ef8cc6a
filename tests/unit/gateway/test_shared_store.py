"""The shared store costs one request its timeout when it goes, and no request its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import valkey
from valkey.exceptions import ConnectionError as Gone
from valkey.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from ia0_daemon.gateway.shared_store import SharedStore, StoreAway, StoreState, address, open_store
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.schema import Shared
from ia0_daemon.settings.units import Seconds
from tests.fake_store import FakeValkey, store_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "url"


@pytest.fixture
def client() -> FakeValkey:
    return FakeValkey()


@pytest.fixture
def store(client: FakeValkey) -> SharedStore:
    return store_of(client)


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def is_refused(store: SharedStore, call: Callable[[], object], *, reads: bool = False) -> bool:
    try:
        store.attempt(call, reads=reads)
    except StoreAway:
        return True
    return False


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.__dict__["event"]) for record in caplog.records]


def test_a_call_gives_what_it_gives(store: SharedStore) -> None:
    assert store.attempt(lambda: 7) == 7
    assert store.state == StoreState(is_up=True)


@pytest.mark.parametrize(
    "error",
    [
        Gone("gone"),
        valkey.TimeoutError("slow"),
        OSError("oh"),
        RuntimeError("odd"),
        ValueError("no Valkey"),
        TypeError("nor this"),
        IndexError("nor that"),
        AttributeError("closed meanwhile"),
    ],
)
def test_a_store_that_is_away_is_asked_once_and_then_left_alone(store: SharedStore, error: Exception) -> None:
    assert is_refused(store, raising(error))
    assert all(is_refused(store, pytest.fail, reads=reads) for reads in (True, False))
    assert store.state == StoreState(is_up=False, error=str(error), gives=False)


def test_what_the_call_itself_decides_is_no_failure_of_the_store(store: SharedStore) -> None:
    class Refused(Exception):
        pass

    with pytest.raises(Refused):
        store.attempt(raising(Refused()))
    assert store.state.is_up


def test_it_comes_back_by_itself_and_both_are_said_once(
    store: SharedStore, client: FakeValkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.error = Gone("Error 111 connecting to 10.0.0.7:6379.")
    for _ in range(3):
        store.look()
        assert is_refused(store, lambda: None)
    client.error = None
    for _ in range(3):
        store.look()
        assert not is_refused(store, lambda: None)
    assert events(caplog) == [("WARNING", "shared_store_away"), ("INFO", "shared_store_back")]
    assert [record.__dict__["store"] for record in caplog.records] == ["valkey://10.0.0.7:6379"] * 2


@pytest.mark.parametrize("error", [OutOfMemoryError("full"), ReadOnlyError("a replica")])
def test_a_store_that_refuses_writes_is_not_up_and_still_gives(
    store: SharedStore, client: FakeValkey, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_refused(store, raising(error))
    client.set_error = error
    store.look()
    assert store.state == StoreState(is_up=False, error=str(error), gives=True)
    assert is_refused(store, lambda: None)
    assert not is_refused(store, lambda: None, reads=True)
    assert events(caplog) == [("WARNING", "shared_store_away")]


def test_a_store_that_refuses_to_be_read_is_away(store: SharedStore) -> None:
    assert is_refused(store, raising(ResponseError("NOPERM")), reads=True)
    assert not store.state.gives


def test_a_full_store_that_goes_away_is_found_again(store: SharedStore, client: FakeValkey) -> None:
    client.set_error = OutOfMemoryError("full")
    store.look()
    client.error = Gone("gone")
    assert is_refused(store, raising(client.error), reads=True)
    client.error = client.set_error = None
    store.look()
    assert store.state == StoreState(is_up=True)


def test_who_waits_for_it_is_called_whenever_it_is_there(store: SharedStore, client: FakeValkey) -> None:
    called: list[bool] = []
    store.when_there(lambda: called.append(True))
    store.look()
    client.set_error = OutOfMemoryError("full")
    store.look()
    assert called == [True]


def test_a_failure_of_who_waited_is_the_stores(store: SharedStore) -> None:
    store.when_there(raising(Gone("in the midst of it")))
    store.look()
    assert store.state == StoreState(is_up=False, error="in the midst of it", gives=False)


def test_a_store_that_was_never_started_is_closed() -> None:
    store = open_store(Shared(url="valkey://127.0.0.1:1"))
    assert store is not None
    store.close()


@pytest.mark.parametrize("scheme", ["valkey", "valkeys", "redis", "rediss"])
def test_a_client_is_bound_by_the_timeout_and_checks_who_answers(scheme: str) -> None:
    store = open_store(Shared(url=f"{scheme}://u:p@127.0.0.1:1/2", timeout_s=Seconds(0.5)))
    assert store is not None
    options: dict[str, Any] = store.client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"], options["db"]) == (0.5, 0.5, 2)
    assert options.get("ssl_check_hostname", False) == (scheme in ("valkeys", "rediss"))
    store.look()
    assert not store.state.is_up


def test_an_address_may_leave_the_host_unchecked() -> None:
    store = open_store(Shared(url="rediss://h/?ssl_check_hostname=false"))
    assert store is not None
    assert store.client.connection_pool.connection_kwargs["ssl_check_hostname"] is False


def test_without_an_address_there_is_no_store() -> None:
    assert open_store(Shared()) is None


def test_the_setting_is_taken_as_it_is() -> None:
    assert address(Shared(url="valkey://h:1/2")) == "valkey://h:1/2"


def test_a_file_holds_it_in_a_line(path: Path) -> None:
    path.write_text("rediss://:hush@h:1/2\n")
    assert address(Shared(url_file=str(path))) == "rediss://:hush@h:1/2"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"http://hush@h",
        b"redis://",
        b"\xff",
        b"valkey://:hush@a\nvalkey://b",
        b"valkey://:hush@h?x=hush",
    ],
)
def test_a_file_without_one_is_a_fault_that_shows_nothing_of_it(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        open_store(Shared(url_file=str(path)))
    assert str(refused.value).startswith(f"shared.url_file: '{path}' ")
    assert "hush" not in str(refused.value)


def test_a_file_that_is_not_there_is_a_fault(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        address(Shared(url_file=str(path)))
