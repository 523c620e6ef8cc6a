"""Listen addresses: their form, whom they let in, and which exclude each other."""

from __future__ import annotations

import pytest

from ia0_daemon.settings.engine_address import AddressError
from ia0_daemon.settings.listen_address import parse


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:8080", "::1", 8080),
        ("[::]:65535", "::", 65535),
        ("localhost:80", "localhost", 80),
        ("gpu-a.example:80", "gpu-a.example", 80),
    ],
)
def test_host_and_port_are_told_apart(text: str, host: str, port: int) -> None:
    address = parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:http",
        "::1:80",
        "[::1]",
        "[127.0.0.1]:80",
        "[x]:80",
        "1.2.3:80",
        "a b:80",
        "http://127.0.0.1:80",
        "h:٨",
        "h:80 ",
        "*:80",
    ],
)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="host:port"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "LOCALHOST:1", "[::ffff:127.0.0.1]:1"]
)
def test_loopback_is_recognised(text: str) -> None:
    assert parse(text).is_loopback


@pytest.mark.parametrize(
    "text", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1]:1", "gpu-a:1", "localhost.evil.example:1"]
)
def test_everything_else_can_be_reached_from_elsewhere(text: str) -> None:
    assert not parse(text).is_loopback


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("localhost:1", "127.0.0.1:1", True),
        ("0.0.0.0:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "[::]:1", True),
        ("10.0.0.1:1", "127.0.0.1:1", False),
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_two_listeners_clash_where_both_would_need_one_port(one: str, other: str, clash: bool) -> None:
    assert parse(one).clashes(parse(other)) is clash
