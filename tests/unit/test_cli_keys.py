"""``ia0 keys create``, ``list`` and ``revoke``: what is stored, printed, refused, and told to the daemon."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ia0_daemon.cli import main
from ia0_daemon.cli_keys_change import ends_at
from ia0_daemon.control import Args, CommandError, ControlServer
from ia0_daemon.keys import hash_key
from ia0_daemon.settings.load import Source

Keys = Callable[..., Result]

CONFIGURED = f'[[auth.keys]]\nname = "old"\nsha256 = "{hash_key("ia0-" + "x" * 43)}"\n'
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_HOST", "MODEL_QWEN2", "MODEL_LLAMA", "MAX_TOKENS", "TIMEOUT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


@pytest.fixture
def file(tmp_path: Path, path: Path) -> Path:
    file = tmp_path / "ia0.toml"
    file.write_text(f'[server]\nsocket_path = "{tmp_path}/ia0.sock"\n[auth]\nkeys_path = "{path}"\n')
    return file


@pytest.fixture
def keys(file: Path) -> Keys:
    """Run ``ia0 keys``."""

    def keys(command: str, *args: str) -> Result:
        return CliRunner().invoke(main, ["keys", command, *args, "--config", str(file)])

    return keys


@pytest.fixture
def reloads(tmp_path: Path) -> Iterator[list[str]]:
    """A running daemon; gives what it was asked."""
    asked: list[str] = []
    server = ControlServer(tmp_path / "ia0.sock", {"reload": lambda _: asked.append("reload")})
    server.start()
    yield asked
    server.stop()


def plain_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    (plain,) = re.findall(r"^ {4}(ia0-\S+)$", result.stdout, re.MULTILINE)
    return str(plain)


def stored(path: Path) -> list[dict[str, object]]:
    return list(tomllib.loads(path.read_text())["keys"]) if "[[" in path.read_text() else []


def test_a_created_key_is_printed_once_and_stored_as_its_hash(keys: Keys, path: Path) -> None:
    plain = plain_of(keys("create", "shop"))
    assert stored(path) == [{"name": "shop", "sha256": hash_key(plain)}]
    assert plain not in path.read_text()


def test_a_key_has_what_its_options_say(keys: Keys, path: Path) -> None:
    options = {
        "--expires": "2999-01-31",
        "--model": "qwen2-7b",
        "--requests-per-minute": "60",
        "--tokens-per-minute": "1000",
        "--tokens-per-day": "5000",
        "--max-concurrent": "4",
        "--system": "Be short.",
    }
    plain_of(keys("create", "shop", *(text for option in options.items() for text in option), "--admin"))
    (key,) = stored(path)
    assert key.pop("sha256")
    assert key == {
        "name": "shop",
        "expires": "2999-01-31T00:00:00Z",
        "models": ["qwen2-7b"],
        "requests_per_minute": 60,
        "tokens_per_minute": 1000,
        "tokens_per_day": 5000,
        "max_concurrent": 4,
        "admin": True,
        "system": "Be short.",
    }


def test_an_alias_is_stored_as_the_public_name(keys: Keys, path: Path, file: Path) -> None:
    file.write_text(file.read_text() + '[models.m]\nname = "m-1"\ntag = "m:1"\naliases = ["one"]\n')
    plain_of(keys("create", "shop", "--model", "one"))
    assert stored(path)[0]["models"] == ["m-1"]
    refused = keys("create", "other", "--model", "one", "--model", "nobody").stderr
    assert "--model: 'nobody' is not the name of a model: m-1, one" in refused


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T00:00:00Z", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T01:00:00+01:00", datetime(2027, 1, 31, tzinfo=UTC)),
        ("90d", NOW + timedelta(days=90)),
        ("12h", NOW + timedelta(hours=12)),
    ],
)
def test_an_end_is_a_date_a_time_or_a_span(text: str, end: datetime) -> None:
    assert ends_at(text, NOW) == end


@pytest.mark.parametrize(
    "text", ["d", "-1d", "1.5d", "9" * 30 + "d", "2027-13-01", "2027-01-31T00:00:00", "soon", "٣d"]
)
def test_any_other_end_is_refused(keys: Keys, text: str) -> None:
    result = keys("create", "shop", f"--expires={text}")
    assert result.exit_code == 2
    assert "is not a date" in result.stderr


@pytest.mark.parametrize("text", ["2001-01-31", "0d"])
def test_an_end_that_is_past_is_refused(keys: Keys, text: str) -> None:
    assert "is over already" in keys("create", "shop", "--expires", text).stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "nobody"], "--model: 'nobody' is not the name of a model: qwen2-7b, llama3.1-8b"),
        (
            ["--requests-per-minute", "-1"],
            "--requests-per-minute: -1 is not a whole number from 0 to 10000000",
        ),
        (["--max-concurrent", "5000"], "--max-concurrent: 5000 is not a whole number from 0 to 1023"),
    ],
)
def test_a_wrong_option_is_told_by_its_name_and_nothing_is_written(
    keys: Keys, path: Path, options: list[str], told: str
) -> None:
    result = keys("create", "shop", *options)
    assert (result.exit_code, result.stderr.splitlines()) == (1, [told, "nothing was changed"])
    assert "ia0-" not in result.stdout
    assert not path.exists()


@pytest.mark.parametrize("name", ["shop", "old"])
def test_a_name_is_one_keys_wherever_that_stands(keys: Keys, file: Path, path: Path, name: str) -> None:
    file.write_text(file.read_text() + CONFIGURED)
    plain_of(keys("create", "shop"))
    before = path.read_bytes()
    result = keys("create", name)
    assert result.exit_code == 1
    assert "there is a key of that name already" in result.stderr
    assert path.read_bytes() == before


def test_a_broken_file_is_not_overwritten(keys: Keys, path: Path) -> None:
    path.write_text("this is [no TOML")
    result = keys("create", "shop")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert path.read_text() == "this is [no TOML"


@pytest.mark.parametrize("named", ["", "keys.toml"])
def test_without_a_file_to_store_it_in_no_key_is_made(keys: Keys, file: Path, named: str) -> None:
    file.write_text(f'[auth]\nkeys_path = "{named}"\n')
    result = keys("create", "shop")
    assert result.exit_code == 1
    assert "auth.keys_path" in result.stderr


def test_the_first_key_says_that_the_api_is_closed_now(keys: Keys) -> None:
    assert "from now on the API asks for a key" in keys("create", "a").stdout
    assert "from now on" not in keys("create", "b").stdout


def test_the_first_key_can_be_made_where_the_daemon_would_not_start_without(keys: Keys, file: Path) -> None:
    file.write_text(file.read_text().replace("[server]", '[server]\nlisten = "0.0.0.0:8080"'))
    plain_of(keys("create", "shop"))


def test_a_running_daemon_is_told(keys: Keys, reloads: list[str]) -> None:
    assert "The running daemon has read it." in keys("create", "shop").stdout
    assert "The running daemon has read it." in keys("revoke", "shop", "--leave-open").stdout
    assert reloads == ["reload", "reload"]


def test_where_no_daemon_runs_that_is_said(keys: Keys) -> None:
    assert "No daemon was told (no socket at" in keys("create", "shop").stdout


def test_a_daemon_that_refuses_is_told_and_the_key_is_not_lost(
    keys: Keys, path: Path, tmp_path: Path
) -> None:
    def refuse(_: Args) -> object:
        raise CommandError("the configuration is wrong; the old one stays", ["a.b: is not a setting"])

    server = ControlServer(tmp_path / "ia0.sock", {"reload": refuse})
    server.start()
    result = keys("create", "shop")
    server.stop()
    assert result.exit_code == 1
    assert "ia0-" in result.stdout
    assert "shop is stored, but not in force: the configuration is wrong" in result.stderr
    assert len(stored(path)) == 1


def test_a_revoked_key_is_gone_and_the_others_stay(keys: Keys, file: Path, path: Path) -> None:
    for name in ("a", "b", "c"):
        plain_of(keys("create", name))
    assert keys("revoke", "b").exit_code == 0
    assert [key["name"] for key in stored(path)] == ["a", "c"]
    assert [key.name for key in Source(file, {}).load().auth.keys] == ["a", "c"]


def test_a_key_of_the_configuration_must_be_taken_out_there(keys: Keys, file: Path) -> None:
    file.write_text(file.read_text() + CONFIGURED)
    result = keys("revoke", "old")
    assert result.exit_code == 1
    assert f"old stands in {file}: take it out there" in result.stderr


def test_a_key_that_is_not_there_cannot_be_revoked(keys: Keys) -> None:
    plain_of(keys("create", "shop"))
    result = keys("revoke", "shpo")
    assert (result.exit_code, result.stderr) == (1, "there is no key of the name 'shpo'; the keys: shop\n")


def test_the_last_key_is_not_revoked_by_accident(keys: Keys, path: Path) -> None:
    plain_of(keys("create", "shop"))
    assert "open to every process" in keys("revoke", "shop").stderr
    assert len(stored(path)) == 1
    assert keys("revoke", "shop", "--leave-open").exit_code == 0
    assert stored(path) == []


def test_beyond_loopback_the_last_key_stays(keys: Keys, file: Path, path: Path) -> None:
    file.write_text(file.read_text().replace("[server]", '[server]\nlisten = "0.0.0.0:8080"'))
    plain_of(keys("create", "shop"))
    result = keys("revoke", "shop", "--leave-open")
    assert result.exit_code == 1
    assert "does not start open" in result.stderr
    assert len(stored(path)) == 1


def test_the_list_tells_where_keys_stand_and_what_they_may_do(keys: Keys, file: Path, path: Path) -> None:
    file.write_text(file.read_text() + CONFIGURED + 'expires = "2001-01-01T00:00:00Z"\n')
    plain_of(keys("create", "shop", "--tokens-per-day", "5", "--model", "qwen2-7b", "--admin"))
    rows = [re.split(r" {2,}", line) for line in keys("list").stdout.splitlines()]
    assert rows == [
        ["NAME", "FROM", "ENDS", "MODELS", "LIMITS", "ADMIN"],
        ["old", str(file), "2001-01-01T00:00:00Z (expired)", "all", "none", "no"],
        ["shop", str(path), "never", "qwen2-7b", "5 tokens/day", "yes"],
    ]


def test_the_list_can_be_had_as_json_without_any_hash(keys: Keys) -> None:
    plain_of(keys("create", "shop", "--max-concurrent", "2", "--system", "Be short."))
    text = keys("list", "--json").stdout
    (key,) = json.loads(text)
    assert (key["name"], key["max_concurrent"], key["expired"], key["system"]) == ("shop", 2, False, True)
    assert not re.search(r"[0-9a-f]{64}|Be short", text)


def test_an_empty_list_says_what_that_means(keys: Keys) -> None:
    assert keys("list").stdout.startswith("No key: the API is open")
    assert json.loads(keys("list", "--json").stdout) == []
