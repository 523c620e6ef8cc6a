"""The rules of `events` and `alerts`: each refuses what it is for, and tells no secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ia0_daemon.settings.faults import Fault
from ia0_daemon.settings.restart import changed_needing_restart
from ia0_daemon.settings.schema import Settings

Faults = Callable[..., dict[str, Fault]]
Load = Callable[..., Settings]


@pytest.mark.parametrize("path", ["events.db", "/", "", "/var/../etc/x.db", "/a\\u0000b"])
def test_the_history_is_an_absolute_path(faults: Faults, path: str) -> None:
    assert set(faults(f'[events]\npath = "{path}"')) == {"events.path"}


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example/x",
        "ftp://hooks.example/x",
        "https:///x",
        "https://a b/x",
        "https://[::1/x",
        "https://a:99999/x",
        "https://a\\n.example/",
    ],
)
def test_a_webhook_is_an_http_address_and_is_not_told(faults: Faults, url: str) -> None:
    fault = faults(f'[alerts]\nwebhook_url = "{url}"')["alerts.webhook_url"]
    assert "https://" in fault.rule
    assert "example" not in str(fault)


@pytest.mark.parametrize("url", ["https://hooks.example/x?y=1", "http://127.0.0.1:9/x", "http://[::1]:9/"])
def test_http_addresses_are_webhooks(faults: Faults, url: str) -> None:
    assert faults(f'[alerts]\nwebhook_url = "{url}"') == {}


def test_a_webhook_has_one_place(faults: Faults) -> None:
    found = faults('[alerts]\nwebhook_url = "https://a.example"\nwebhook_url_file = "/run/url"')
    assert set(found) == {"alerts.webhook_url_file"}


def test_a_webhooks_file_is_an_absolute_path(faults: Faults) -> None:
    assert set(faults('[alerts]\nwebhook_url_file = "url"')) == {"alerts.webhook_url_file"}


def test_a_command_is_a_program_with_arguments(faults: Faults) -> None:
    assert faults('[alerts]\ncommand = ["/usr/bin/pager", "-v"]') == {}
    assert set(faults('[alerts]\ncommand = ["pager -v"]')) == {"alerts.command"}
    assert set(faults('[alerts]\ncommand = ["/bin/pager", "\\u0000"]')) == {"alerts.command"}


def test_the_format_is_one_of_two(faults: Faults) -> None:
    fault = faults('[alerts]\nwebhook_format = "teams"')["alerts.webhook_format"]
    assert fault.rule == "is not one of json, slack"


def test_only_the_historys_place_needs_a_restart(load: Load) -> None:
    changed = load('[events]\npath = "/tmp/e.db"\nkeep = 500\n[alerts]\nrepeat_s = 60')
    assert changed_needing_restart(Settings(), changed) == ["events.path"]
