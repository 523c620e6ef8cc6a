"""What a comparison shows, and what it never shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.backup.compare import Difference, State
from ia0_daemon.backup.redact import redacted
from tests.unit.backup.conftest import NEW_KEY, OLD_KEY, Host


def differing(host: Host) -> dict[str, Difference]:
    return {Path(each.path).name: each for each in host.service().diff() if each.state is not State.SAME}


def test_nothing_differs_at_first(host: Host) -> None:
    host.history.unlink()
    host.service().create()
    assert differing(host) == {}


def test_a_changed_text_is_shown_as_a_unified_diff_with_short_hashes(host: Host) -> None:
    host.service().create()
    host.configure(NEW_KEY)
    lines = differing(host)["ia0.toml"].lines
    assert lines[:2] == (f"--- {host.config} (present)", f"+++ {host.config} (archive)")
    assert f'-sha256 = "{NEW_KEY[:8]}..."' in lines
    assert f'+sha256 = "{OLD_KEY[:8]}..."' in lines
    assert not any(OLD_KEY in line or NEW_KEY in line for line in lines)


def test_a_missing_file_is_shown_as_all_new(host: Host) -> None:
    host.service().create()
    (host.config.parent / "engine.env").unlink()
    found = differing(host)["engine.env"]
    assert (found.state, found.lines[-1]) == (State.MISSING, "+OLLAMA_KEEP_ALIVE=30m")


def test_a_changed_mode_is_shown(host: Host) -> None:
    host.config.chmod(0o600)
    host.service().create()
    host.config.chmod(0o644)
    assert differing(host)["ia0.toml"].lines == ("mode 0644 -> 0600",)


def test_a_private_key_is_never_shown(host: Host) -> None:
    host.service().create()
    (host.ollama / "id_ed25519").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nother\n")
    (line,) = differing(host)["id_ed25519"].lines
    assert line.startswith("content not shown: sha256 ")


def test_an_included_private_key_is_never_shown(host: Host) -> None:
    key = host.root / "tls.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nabc\n")
    host.configure(backup=f'include = ["{key}"]\n')
    host.service().create()
    key.write_text("changed")
    assert "abc" not in " ".join(differing(host)["tls.pem"].lines)


def test_binary_files_are_compared_by_hash(host: Host) -> None:
    path = host.config.parent / "engine.env"
    path.write_bytes(b"\0\1")
    host.service().create()
    path.write_bytes(b"\0\2")
    assert differing(host)["engine.env"].lines[0].startswith("content not shown")


def test_nothing_in_a_file_steers_the_terminal(host: Host) -> None:
    path = host.config.parent / "engine.env"
    host.service().create()
    path.write_text("A=\x1b[2J\n")
    assert "-A=\\x1b[2J" in differing(host)["engine.env"].lines


def test_what_an_undo_would_delete_is_shown(host: Host) -> None:
    host.service().create()
    env = host.config.parent / "engine.env"
    env.unlink()
    host.service().restore()
    found = host.service().diff(str(host.service().last_undo()))
    assert [(each.path, each.state) for each in found] == [(str(env), State.NEW)]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("HF_TOKEN=hunter2hunter2", "hunter2hunter2"),
        ("export AWS_SECRET_ACCESS_KEY='hunter2'", "hunter2"),
        ('Environment="API_KEY=hunter2"', "hunter2"),
        ("HTTPS_PROXY=http://user:hunter2@proxy:3128", "hunter2"),
        ('[alerts]\nwebhook_url = "https://hooks/hunter2"', "hunter2"),
        ('alerts = {webhook_url = "https://hooks/hunter2"}', "hunter2"),
        ('[alerts]\nwebhook_url = """\\\n  https://hooks/hunter2"""', "hunter2"),
        ('broken [\nwebhook_url = "https://hooks/hunter2"', "hunter2"),
        (f"key = ia0-{'x' * 43}", "x" * 43),
        (f"# an old key: ia0-{'x' * 43}", "x" * 43),
        (f'sha256 = "{OLD_KEY}"', OLD_KEY),
        (f"IA0_AUTH__KEYS=shop:{OLD_KEY}", OLD_KEY),
    ],
)
def test_secrets_are_hidden(text: str, secret: str) -> None:
    assert secret not in redacted(text)


@pytest.mark.parametrize(
    "line",
    [
        "max_tokens = 2000",
        "first_token_timeout_s = 60",
        'name = "shop"',
        'keep_alive = "30m"',
        "OLLAMA_HOST=localhost",
    ],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert redacted(line) == line


def test_a_changed_secret_is_seen_to_have_changed() -> None:
    assert redacted("HF_TOKEN=one") != redacted("HF_TOKEN=two")
