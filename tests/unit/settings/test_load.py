"""File, environment and defaults become settings, or are refused with every fault at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.keys import hash_key
from ia0_daemon.settings.catalogue import settings as catalogue
from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.restart import changed_needing_restart
from ia0_daemon.settings.schema import Settings
from ia0_daemon.settings.toml_text import example
from ia0_daemon.settings.units import Seconds

Load = Callable[..., Settings]
Faults = Callable[..., dict[str, Fault]]

HASH = hash_key("ia0-" + "x" * 43)
KEY = f'[[auth.keys]]\nname = "a"\nsha256 = "{HASH}"\n'


def test_nothing_given_is_the_defaults() -> None:
    assert Source(None, {}).load() == Settings()


def test_the_example_configuration_is_the_defaults(load: Load) -> None:
    assert load(example()) == Settings()


def test_the_example_configuration_names_every_setting() -> None:
    text = example()
    missing = [
        setting.key
        for setting in catalogue()
        if f"\n{setting.path[-1]} = " not in text and setting.key != "auth.keys"
    ]
    assert missing == []
    assert "# [[auth.keys]]" in text


def test_the_environment_beats_the_file_and_the_file_the_default(load: Load) -> None:
    toml = "[limits]\nmax_tokens = 5\nmax_prompt_chars = 6\n"
    limits = load(toml, {"MAX_TOKENS": "7"}).limits
    assert (limits.max_tokens, limits.max_prompt_chars) == (7, 6)


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("OLLAMA_HOST", "0.0.0.0", "engine.host", "0.0.0.0"),
        ("MODEL_QWEN2", "pt-1", "models.qwen2.name", "pt-1"),
        ("MODEL_LLAMA", "all-1", "models.llama.name", "all-1"),
        ("MAX_TOKENS", " 10 ", "limits.max_tokens", 10),
        ("TIMEOUT", "45s", "engine.timeout_s", 45.0),
        ("TIMEOUT", "45", "engine.timeout_s", 45.0),
        ("LOG_LEVEL", "debug", "log.level", "DEBUG"),
        ("LOG_LEVEL", '"debug"', "log.level", "DEBUG"),
        ("IA0_SERVER__LISTEN", "127.0.0.1:1", "server.listen", "127.0.0.1:1"),
        ("IA0_SERVER__HEALTH_LISTEN", "", "server.health_listen", ""),
        ("IA0_SERVER__MAX_BODY_BYTES", "64KiB", "server.max_body_bytes", 65536),
        ("IA0_LOG__PROMPTS", "yes", "log.prompts", True),
        ("IA0_LOG__PROMPTS", "0", "log.prompts", False),
        ("IA0_MODELS__QWEN2__TAG", "a:b", "models.qwen2.tag", "a:b"),
        ("IA0_MODELS__QWEN2__ALIASES", "a, b", "models.qwen2.aliases", ("a", "b")),
        ("IA0_MODELS__QWEN2__LANGUAGES", "", "models.qwen2.languages", ()),
        ("IA0_DEFAULT_MODEL", "qwen2-7b", "default_model", "qwen2-7b"),
        ("IA0_ENGINE__KEEP_ALIVE", "-1", "engine.keep_alive", "-1"),
    ],
)
def test_a_variable_sets_its_setting(load: Load, name: str, text: str, key: str, value: object) -> None:
    found: object = load("", {name: text})
    for part in key.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value


@pytest.mark.parametrize("name", ["OLLAMA_HOST", "MODEL_QWEN2", "MAX_TOKENS", "TIMEOUT", "LOG_LEVEL"])
def test_a_users_name_that_is_empty_is_not_set(load: Load, name: str) -> None:
    assert load("", {name: ""}) == Settings()


@pytest.mark.parametrize(
    "name", ["IA0_CONFIG", "IA0_PORT", "IA0_ENGINE_FAULT_LEAK", "PATH", "ia0_server__listen"]
)
def test_other_variables_are_left_alone(load: Load, name: str) -> None:
    assert load("", {name: "x"}) == Settings()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("IA0_SERVER__LISTN", "IA0_SERVER__LISTEN"),
        ("IA0_DEFAULT_MODELS", "IA0_DEFAULT_MODEL"),
        ("IA0_MODELS__QWEN2__TAGS", "IA0_MODELS__<ID>__TAG"),
        ("IA0_ENGINE__timeout_s", ""),
        ("IA0_X__Y", ""),
        ("IA0_SERVER__LISTEN__X", ""),
        ("IA0_MODELS__A-B__TAG", ""),
        ("IA0___", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(faults: Faults, name: str, near: str) -> None:
    fault = faults("", {name: "x"})[name]
    assert "is not a setting" in fault.rule
    assert near in fault.rule


def test_both_names_of_a_setting_with_different_values_are_refused(faults: Faults) -> None:
    fault = faults("", {"TIMEOUT": "30", "IA0_ENGINE__TIMEOUT_S": "31s"})["engine.timeout_s"]
    assert "TIMEOUT and IA0_ENGINE__TIMEOUT_S" in fault.rule


def test_both_names_of_a_setting_with_the_same_value_are_fine(load: Load) -> None:
    assert load("", {"TIMEOUT": "60", "IA0_ENGINE__TIMEOUT_S": "1m"}).engine.timeout_s == Seconds(60)


def test_models_of_the_file_replace_the_built_in_ones(load: Load) -> None:
    assert list(load('[models.mine]\nname = "a"\ntag = "b"\n').models) == ["mine"]


def test_a_users_name_for_a_model_that_is_not_there_says_what_to_do(faults: Faults) -> None:
    toml = '[models.mine]\nname = "a"\ntag = "b"\n'
    fault = faults(toml, {"MODEL_QWEN2": "x"})["models.qwen2.name"]
    assert "add [models.qwen2] with its tag to the file, or unset MODEL_QWEN2" in str(fault)


def test_the_environment_can_make_a_model(load: Load) -> None:
    environ = {"IA0_MODELS__QWEN2__TAG": "a:b", "MODEL_QWEN2": "x"}
    model = load('[models.mine]\nname = "a"\ntag = "b"\n', environ).models["qwen2"]
    assert (model.name, model.tag) == ("x", "a:b")


def test_a_model_without_a_tag_is_refused(faults: Faults) -> None:
    assert "is required" in faults('[models.mine]\nname = "a"\n')["models.mine.tag"].rule
    assert "is required" in faults("", {"IA0_MODELS__NEW__NAME": "a"})["models.new.tag"].rule


def test_every_fault_is_told_at_once(faults: Faults, file: Path) -> None:
    toml = """
        default_model = 3
        [server]
        thread = 3
        threads = 2
        [engine]
        timeout_s = "abc"
        [nonsense]
        [models.Q]
        name = "x"
        tag = "y"
    """
    found = faults(toml, {"MAX_TOKENS": "0", "IA0_X__Y": "1"})
    assert set(found) == {
        "default_model", "server.thread", "server.threads", "engine.timeout_s", "nonsense", "models.Q",
        "limits.max_tokens", "IA0_X__Y",
    }  # fmt: skip
    assert found["server.threads"].where == str(file)
    assert found["limits.max_tokens"].where == "MAX_TOKENS"


def test_a_fault_names_key_value_rule_and_place(faults: Faults, file: Path) -> None:
    toml = '[engine]\ntimeout_s = "abc"\n'
    rule = "is not a duration such as 30s or 500ms, from 100ms to 24h"
    assert str(faults(toml)["engine.timeout_s"]) == f"engine.timeout_s: 'abc' {rule} ({file})"
    environ = {"IA0_ENGINE__TIMEOUT_S": "abc"}
    assert (
        str(faults("", environ)["engine.timeout_s"])
        == f"engine.timeout_s: 'abc' {rule} (IA0_ENGINE__TIMEOUT_S)"
    )


@pytest.mark.parametrize(
    ("toml", "key", "rule"),
    [
        ("server = 1", "server", "is not a table"),
        ("models = []", "models", "is not a table"),
        ("[models]\nqwen2 = 1", "models.qwen2", "is not a table"),
        ("[server]\nlisten = 1", "server.listen", "host:port"),
        ("[server]\nthreads = true", "server.threads", "a whole number from 4 to 1024"),
        ('[server]\nthreads = "72"', "server.threads", "a whole number"),
        ("[server]\nthreads = 72.0", "server.threads", "a whole number"),
        ("[server]\nthreads = 2000", "server.threads", "from 4 to 1024"),
        ("[server]\nmax_body_bytes = 1", "server.max_body_bytes", "from 1KiB to 1GiB"),
        ("[engine]\ntimeout_s = -1", "engine.timeout_s", "a duration"),
        ("[engine]\ntimeout_s = 0", "engine.timeout_s", "from 100ms"),
        ("[engine]\ntimeout_s = nan", "engine.timeout_s", "a duration"),
        ("[engine]\ntimeout_s = 1979-05-27", "engine.timeout_s", "a duration"),
        ('[engine]\nkeep_alive = "1d"', "engine.keep_alive", "a keep-alive"),
        ("[limits]\nmax_tokens = 0", "limits.max_tokens", "from 1 to"),
        ("[limits]\nmax_tokens = 99999999999999999999", "limits.max_tokens", "from 1 to"),
        ("[log]\nprompts = 1", "log.prompts", "true or false"),
        ('[log]\nlevel = "loud"', "log.level", "DEBUG, INFO, WARNING, ERROR"),
        ("[auth]\nkeys = 3", "auth.keys", "[[auth.keys]]"),
        ("[auth]\nkeys = [3]", "auth.keys[0]", "is not a table"),
        (
            '[models.a]\nname = "x"\ntag = "y"\nlanguages = ["Portuguese"]',
            "models.a.languages[0]",
            "pt or en",
        ),
        ('[models.a]\nname = "x"\ntag = "y"\naliases = "z"', "models.a.aliases", "a list"),
        ('[models.a__b]\nname = "x"\ntag = "y"', "models.a__b", "single underscores"),
        ('[models."a.b"]\nname = "x"\ntag = "y"', "models.a.b", "not an id"),
    ],
)
def test_a_value_of_a_wrong_kind_is_told_its_rule(faults: Faults, toml: str, key: str, rule: str) -> None:
    assert rule in faults(toml)[key].rule


@pytest.mark.parametrize(
    "line", ['timeout_s = "100ms"', 'timeout_s = "24h"', "first_token_per_1k_chars_s = 0"]
)
def test_the_ends_of_a_range_are_allowed(faults: Faults, line: str) -> None:
    assert faults(f"[engine]\n{line}") == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAX_TOKENS", "1_000"),
        ("MAX_TOKENS", "٣"),
        ("MAX_TOKENS", "9" * 5000),
        ("MAX_TOKENS", "\udcff"),
        ("TIMEOUT", "soon"),
        ("IA0_LOG__PROMPTS", "maybe"),
        ("IA0_LOG__PROMPTS", ""),
        ("IA0_SERVER__THREADS", ""),
        ("IA0_AUTH__KEYS", "no-colon"),
    ],
)
def test_a_wrong_text_of_the_environment_is_told_its_variable(faults: Faults, name: str, text: str) -> None:
    (fault,) = faults("", {name: text}).values()
    assert fault.where == name
    assert len(str(fault).encode()) < 300


def test_a_wrong_file_is_told_together_with_wrong_variables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Source(tmp_path / "no.toml", {"IA0_X__Y": ""}).load()
    assert len(refused.value.faults) == 2


def test_keys_come_from_the_file_or_a_variable(load: Load) -> None:
    assert load(KEY).auth.keys[0].name == "a"
    keys = load(KEY, {"IA0_AUTH__KEYS": f"b:{HASH}, c:{'0' * 64}"}).auth.keys
    assert [key.name for key in keys] == ["b", "c"]
    assert load(KEY, {"IA0_AUTH__KEYS": ""}).auth.keys == ()


def test_keys_come_from_a_file_of_their_own(load: Load, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f'[[keys]]\nname = "b"\nsha256 = "{HASH}"\n')
    keys = load(KEY, {"IA0_AUTH__KEYS_FILE": str(tmp_path / "keys")}).auth.keys
    assert [key.name for key in keys] == ["b"]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("", "auth.keys"),
        ("keys = 3", "auth.keys"),
        ("keys = []\nmore = 1", "auth.keys"),
        ('[[keys]]\nname = "b"', "auth.keys[0].sha256"),
        ("= 3", ""),
    ],
)
def test_a_wrong_file_of_keys_is_told_by_its_name_or_variable(
    faults: Faults, tmp_path: Path, content: str, key: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    fault = faults("", {"IA0_AUTH__KEYS_FILE": str(path)})[key]
    assert fault.where.startswith((str(path), "IA0_AUTH__KEYS_FILE"))


def test_keys_given_twice_by_the_environment_are_refused(faults: Faults, tmp_path: Path) -> None:
    environ = {"IA0_AUTH__KEYS": f"b:{HASH}", "IA0_AUTH__KEYS_FILE": str(tmp_path / "keys")}
    assert "unset one" in faults("", environ)["auth.keys"].rule


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        ('[[auth.keys]]\nname = "a"\nsha256 = "ia0-plain"', {}),
        ('[[auth.keys]]\nname = "a"\nkey = "ia0-plain"', {}),
        ('[auth]\nkeys = "ia0-plain"', {}),
        ('[auth]\nkeys = ["ia0-plain"]', {}),
        ("", {"IA0_AUTH__KEYS": "a:ia0-plain"}),
        ("", {"IA0_AUTH__KEY": "ia0-plain"}),
        ("", {"OLLAMA_HOST": "user:ia0-plain@host"}),
        ('[engine]\nhost = "http://user:ia0-plain@host"', {}),
    ],
)
def test_no_fault_shows_a_secret(faults: Faults, toml: str, environ: dict[str, str]) -> None:
    found = faults(toml, environ)
    assert found
    assert "plain" not in "\n".join(map(str, found.values()))


def test_a_value_knows_where_it_comes_from(file: Path) -> None:
    file.write_text("[limits]\nmax_tokens = 5\n")
    origins = Source(file, {"TIMEOUT": "5"}).read().origins
    assert origins["limits.max_tokens"] == str(file)
    assert origins["engine.timeout_s"] == "TIMEOUT"
    assert "engine.host" not in origins


def test_the_socket_is_found_although_other_settings_are_wrong(file: Path) -> None:
    file.write_text('[server]\nsocket_path = "/a/b"\nlisten = 3\n')
    assert Source(file, {}).socket_path() == ("/a/b", str(file))
    assert Source(None, {}).socket_path() == ("/run/ia0/ia0.sock", "default")


def test_a_wrong_socket_path_is_refused(file: Path) -> None:
    file.write_text("[server]\nsocket_path = 3\n")
    with pytest.raises(ConfigError, match=r"server\.socket_path"):
        Source(file, {}).socket_path()


def test_what_a_reload_cannot_apply_is_named() -> None:
    old = Settings()
    server = msgspec.structs.replace(old.server, threads=80, listen="127.0.0.1:1")
    limits = msgspec.structs.replace(old.limits, max_tokens=1)
    new = msgspec.structs.replace(old, server=server, limits=limits)
    assert changed_needing_restart(old, new) == ["server.listen", "server.threads"]
    assert changed_needing_restart(old, old) == []
