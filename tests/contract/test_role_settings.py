"""The role ia0_daemon and the daemon's table of settings say the same."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jinja2
import msgspec
import pytest
import yaml

from ia0_daemon.settings.catalogue import settings
from ia0_daemon.settings.leaves import is_secret
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.restart import needs_restart
from ia0_daemon.settings.schema import Settings
from tests.contract.roles import REPOSITORY, defaults, options

ROLE = REPOSITORY / "roles" / "ia0_daemon"
TABLES = [
    name for name, value in msgspec.structs.asdict(Settings()).items() if isinstance(value, msgspec.Struct)
]


def rendered(**changes: object) -> str:
    """The role's ia0.toml, as Ansible would write it."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters |= {
        "comment": lambda text: f"# {text}",
        "bool": bool,
        "to_json": lambda value, ensure_ascii=True: msgspec.json.encode(value).decode(),
    }
    text = (ROLE / "templates" / "ia0.toml.j2").read_text(encoding="utf-8")
    return environment.from_string(text).render(ansible_managed="managed", **defaults(ROLE) | changes) + "\n"


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "ia0.toml"
    path.write_text(text, encoding="utf-8")
    return Source(path, {}).load()


def settings_of(table: str) -> set[str]:
    return set(msgspec.structs.asdict(getattr(Settings(), table)))


@pytest.mark.parametrize("table", [name for name in TABLES if name != "auth"])
def test_every_setting_is_a_variable_and_in_the_template(table: str) -> None:
    names = {f"ia0_daemon_{table}_{key}" for key in settings_of(table)}
    assert names - set(options(ROLE)) == set()
    assert set(tomllib.loads(rendered())[table]) == settings_of(table)


def test_a_text_that_is_secret_is_shown_by_no_task() -> None:
    secret = {
        f"ia0_daemon_{'_'.join(setting.path)}"
        for setting in settings()
        if is_secret(setting.hint) and isinstance(setting.default, str)
    }
    assert secret == {"ia0_daemon_alerts_webhook_url", "ia0_daemon_shared_url"}
    assert {name for name in secret if not options(ROLE)[name].get("no_log")} == set()


def test_what_a_reload_cannot_apply_makes_the_role_restart_the_daemon() -> None:
    constants = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    watched = set(constants["__ia0_daemon_needing_restart"])
    once = {setting.key for setting in settings() if needs_restart(setting.path)}
    assert {key for key in once if key not in watched and key.split(".")[0] not in watched} == set()
    assert {
        name for name in watched if not any(key == name or key.startswith(f"{name}.") for key in once)
    } == set()


def test_the_roles_defaults_are_the_daemons(tmp_path: Path) -> None:
    assert loaded(tmp_path, rendered()) == Settings()


def test_a_value_with_quotes_and_other_letters_arrives(tmp_path: Path) -> None:
    path = '/tmp/o "rápido" \\ 日本.sock'
    assert loaded(tmp_path, rendered(ia0_daemon_server_socket_path=path)).server.socket_path == path


def test_keys_arrive(tmp_path: Path) -> None:
    keys = [{"name": "shop", "sha256": "c0ffee" * 10 + "abcd"}]
    settings = loaded(tmp_path, rendered(ia0_daemon_auth_keys=keys))
    assert [key.name for key in settings.auth.keys] == ["shop"]
