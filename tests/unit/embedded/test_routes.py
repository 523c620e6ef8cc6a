import pytest

from ia0_daemon.embedded.routes import is_allowed_host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:11434",
        "app.localhost",
        "gpu.local",
        "gpu.internal:1",
        "me",
        "127.0.0.1:1",
        "[::1]:1",
        "10.1.2.3",
        "192.168.0.1",
        "0.0.0.0",
    ],
)
def test_local_names_and_private_addresses_may_ask(host: str) -> None:
    assert is_allowed_host(host, "me")


@pytest.mark.parametrize(
    "host", ["example.com", "example.com:11434", "8.8.8.8", "localhost.example.com", "notlocal"]
)
def test_a_foreign_host_may_not(host: str) -> None:
    assert not is_allowed_host(host, "me")
