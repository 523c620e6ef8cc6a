"""The address of the shared store: what is taken, what is refused at the start, and that it stays hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from valkey import ConnectionPool

from ia0_daemon.settings.faults import Fault
from ia0_daemon.settings.store_address import broken_rule, checks_host, shown

Faults = Callable[..., dict[str, Fault]]

TAKEN = [
    "valkey://127.0.0.1",
    "redis://:word@h:1/2",
    "valkey://user:w%2Frd@[::1]:6379/0?db=3",
    "rediss://h/?ssl_ca_certs=/etc/ca.pem&ssl_certfile=/c&ssl_keyfile=/k",
    "valkeys://h?ssl_cert_reqs=none",
    "valkeys://h?ssl_check_hostname=false",
]
REFUSED = [
    ("hush", "must begin with one of valkey://"),
    ("http://:hush@h", "must begin with one of valkey://"),
    ("redis://", "have a host"),
    ("valkey://:hush@h:99999", "have a host"),
    ("valkey://:hush@[::1/0", "have a host"),
    ("valkey://:hush@a\nvalkey://b", "one line"),
    ("valkey://:hush@h /0", "without blanks"),
    ("valkey://u:1/hush@h/0", "write / ? # @"),
    ("valkey://u:1?hush@h/0", "write / ? # @"),
    ("valkey://:hush@h/name", "number of a database"),
    ("valkey://:hush@h/0/1", "number of a database"),
    ("valkey://:hush@h/0?socket_timeout=60", "no other options"),
    ("valkey://:hush@h/0?hush=1", "no other options"),
    ("valkey://:hush@h/?db=x", "whole number as `db`"),
    ("valkey://:hush@h/0?ssl_ca_certs=/x", "no TLS"),
    ("valkeys://:hush@h/0?ssl_cert_reqs=hush", "none, optional, required"),
    ("valkeys://:hush@h/0?ssl_cert_reqs=none&ssl_check_hostname=true", "cannot check the host"),
]


@pytest.mark.parametrize("url", TAKEN)
def test_what_breaks_no_rule_the_client_can_be_made_with(url: str) -> None:
    assert broken_rule(url) == ""
    pool = ConnectionPool.from_url(url)
    assert pool.connection_class(**pool.connection_kwargs)


@pytest.mark.parametrize(("url", "rule"), REFUSED)
def test_what_is_refused_names_its_rule_and_shows_nothing_of_the_address(url: str, rule: str) -> None:
    said = broken_rule(url)
    assert rule in said
    assert "hush" not in said


def test_the_configuration_is_refused_by_the_settings_name(faults: Faults) -> None:
    found = faults('[shared]\nurl = "valkey://:hush@h/0?socket_timeout=60"')
    assert set(found) == {"shared.url"}
    assert "hush" not in str(found["shared.url"])
    assert faults('[shared]\nurl = "valkeys://:hush@h/0?ssl_ca_certs=/etc/ca.pem"') == {}


def test_an_address_has_one_place(faults: Faults) -> None:
    assert set(faults('[shared]\nurl = "valkey://h"\nurl_file = "/run/url"')) == {"shared.url_file"}


@pytest.mark.parametrize(
    ("url", "checks"),
    [
        ("valkeys://h", True),
        ("rediss://h?ssl_ca_certs=/x", True),
        ("rediss://h?ssl_cert_reqs=none", False),
        ("redis://h", False),
    ],
)
def test_with_tls_the_store_proves_its_host_unless_it_is_told_off(url: str, checks: bool) -> None:
    assert checks_host(url) is checks


def test_what_a_log_may_show_has_no_password() -> None:
    assert shown("rediss://user:secret@[::1]/3?db=1") == "rediss://[::1]:6379"
    assert shown("valkey://:secret@h:1/2") == "valkey://h:1"
