"""OLLAMA_HOST: Ollama's forms are taken, what it would silently replace is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.settings.engine_address import Address, AddressError, parse


# The left side is Ollama's own table of tests (envconfig/config_test.go), where it gives an address.
@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("1.2.3.4:1234", "http://1.2.3.4:1234"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        ("[::1]", "http://[::1]:11434"),
        ("[::]", "http://[::1]:11434"),
        ("::1", "http://[::1]:11434"),
        ("::", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("fe80:0:0:0::1", "http://[fe80::1]:11434"),
        (" 1.2.3.4 ", "http://1.2.3.4:11434"),
        ('"1.2.3.4"', "http://1.2.3.4:11434"),
        (' " 1.2.3.4 " ', "http://1.2.3.4:11434"),
        ("'1.2.3.4'", "http://1.2.3.4:11434"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("http://1.2.3.4:4321", "http://1.2.3.4:4321"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://1.2.3.4:4321", "https://1.2.3.4:4321"),
        ("https://example.com/ollama", "https://example.com:443/ollama"),
        ("http://example.com/a/b/", "http://example.com:80/a/b"),
        ("localhost:11434/", "http://localhost:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:9", "http://127.0.0.1:9"),
        ("http://0.0.0.0", "http://127.0.0.1:80"),
        ("http://", "http://127.0.0.1:80"),
        ("http://[::]:9", "http://[::1]:9"),
        ("ollama.com", "https://ollama.com:443"),
        ("gpu_1.internal.", "http://gpu_1.internal.:11434"),
    ],
)
def test_every_form_of_ollama_is_taken(text: str, url: str) -> None:
    assert parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        ":66000",
        ":-1",
        ":0",
        "host:99999",
        "host:",
        "host:http",
        "host:1_000",
        "host:١٢",
        "ftp://host",
        "HTTP://host:80",
        "://host",
        "a b",
        "host name:80",
        "user:secret@host",
        "user@host",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "[::1",
        "::1]",
        "[::1]x",
        "[::1]80",
        "[]:80",
        "a:b:c",
        "-host",
        "host..name",
        "x" * 64,
        "host/with space",
        "host/?query",
        "höst",
        "\0",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse(text)


@given(st.text(max_size=40))
def test_a_text_is_an_address_or_a_fault(text: str) -> None:
    try:
        address = parse(text)
    except AddressError:
        return
    assert address.scheme in {"http", "https"}
    assert 1 <= address.port <= 65535
    assert address.host


@given(
    st.sampled_from(["http", "https"]),
    st.one_of(st.ip_addresses().map(str), st.sampled_from(["localhost", "gpu-a.example"])),
    st.integers(1, 65535),
)
def test_what_is_parsed_can_be_written_and_parsed_again(scheme: str, host: str, port: int) -> None:
    address = parse(Address(scheme, host, port).url)
    assert parse(address.url) == address
