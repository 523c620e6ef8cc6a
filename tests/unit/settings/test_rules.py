"""The rules between settings: each refuses what it is for, and nothing beside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ia0_daemon.keys import EXAMPLE_KEYS, hash_key, new_key
from ia0_daemon.settings.faults import Fault
from ia0_daemon.settings.schema import Settings

Load = Callable[..., Settings]
Faults = Callable[..., dict[str, Fault]]

KEY = f'[[auth.keys]]\nname = "a"\nsha256 = "{hash_key("ia0-" + "x" * 43)}"\n'
MODEL = '[models.m]\nname = "m-1"\ntag = "m:1"\n'


def test_listeners_must_be_addresses(faults: Faults) -> None:
    found = faults('[server]\nlisten = "8080"\nhealth_listen = "nowhere"')
    assert set(found) == {"server.listen", "server.health_listen"}
    assert "is not host:port" in found["server.listen"].rule


def test_the_health_listener_may_be_off(faults: Faults) -> None:
    assert faults('[server]\nhealth_listen = ""') == {}


def test_listeners_must_differ(faults: Faults) -> None:
    fault = faults('[server]\nlisten = "127.0.0.1:1"\nhealth_listen = "0.0.0.0:1"')["server.health_listen"]
    assert "server.listen (127.0.0.1:1)" in fault.rule


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "[::]:8080", "10.0.0.5:8080", "gpu-a:8080"])
def test_the_daemon_does_not_start_open_beyond_loopback(faults: Faults, address: str) -> None:
    assert "does not start open" in faults(f'[server]\nlisten = "{address}"')["server.listen"].rule
    assert faults(f'[server]\nlisten = "{address}"\n{KEY}') == {}


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "[::1]:8080", "localhost:8080"])
def test_loopback_needs_no_key(faults: Faults, address: str) -> None:
    assert faults(f'[server]\nlisten = "{address}"') == {}


def test_the_health_listener_needs_no_key_anywhere(faults: Faults) -> None:
    assert faults('[server]\nhealth_listen = "0.0.0.0:8081"') == {}


def test_the_open_address_is_told_by_where_it_was_set(faults: Faults) -> None:
    assert faults("", {"IA0_SERVER__LISTEN": "0.0.0.0:1"})["server.listen"].where == "IA0_SERVER__LISTEN"


@pytest.mark.parametrize("sha256", sorted(EXAMPLE_KEYS))
def test_an_example_key_is_refused_on_every_address(faults: Faults, sha256: str) -> None:
    fault = faults(f'[[auth.keys]]\nname = "a"\nsha256 = "{sha256}"')["auth.keys[0].sha256"]
    assert "everybody knows" in fault.rule
    assert sha256 not in str(fault)


def test_a_key_in_the_place_of_its_name_is_refused_and_not_shown(faults: Faults) -> None:
    plain, sha256 = new_key()
    fault = faults(f'[[auth.keys]]\nname = "{plain}"\nsha256 = "{sha256}"')["auth.keys[0].name"]
    assert plain not in str(fault)


def test_a_key_and_its_name_appear_once(faults: Faults) -> None:
    assert set(faults(KEY + KEY)) == {"auth.keys[1].name", "auth.keys[1].sha256"}


@pytest.mark.parametrize("path", ["run/ia0.sock", "", "/"])
def test_the_socket_path_must_be_absolute(faults: Faults, path: str) -> None:
    assert "absolute" in faults(f'[server]\nsocket_path = "{path}"')["server.socket_path"].rule


@pytest.mark.parametrize(("in_flight", "refused"), [(143, False), (144, True), (145, True)])
def test_a_thread_must_be_left_for_the_control_routes(faults: Faults, in_flight: int, refused: bool) -> None:
    assert ("server.max_in_flight" in faults(f"[server]\nmax_in_flight = {in_flight}")) is refused


@pytest.mark.parametrize("host", ["localhost:99999", "ftp://a", "a b"])
def test_the_engine_must_be_an_address(faults: Faults, host: str) -> None:
    assert faults("", {"OLLAMA_HOST": host})["engine.host"].where == "OLLAMA_HOST"


@pytest.mark.parametrize("host", ["localhost:8080", "0.0.0.0:8081", "http://127.0.0.1:8080", "[::1]:8080"])
def test_the_engine_must_not_be_the_daemon_itself(faults: Faults, host: str) -> None:
    assert "own address" in faults("", {"OLLAMA_HOST": host})["engine.host"].rule


def test_an_engine_on_another_host_may_have_the_same_port(faults: Faults) -> None:
    assert faults("", {"OLLAMA_HOST": "10.0.0.5:8080"}) == {}


def test_there_must_be_a_model(faults: Faults, file: Path) -> None:
    assert faults("[models]")["models"].where == str(file)


@pytest.mark.parametrize("name", ["", "auto", "AUTO", "a b", "-a", "a\\nb", "x" * 129, "ä"])
@pytest.mark.parametrize("key", ["name", "aliases[0]"])
def test_a_public_name_must_be_a_name(faults: Faults, name: str, key: str) -> None:
    other = f'aliases = ["{name}"]\nname = "m"' if key != "name" else f'name = "{name}"'
    assert set(faults(f'[models.m]\ntag = "m:1"\n{other}')) == {f"models.m.{key}"}


@pytest.mark.parametrize("tag", ["m", "m:1", "user/m:1", "hf.co/user/m:Q4_K_M", "host:5000/ns/m.x:tag"])
def test_a_tag_of_ollama_is_taken(faults: Faults, tag: str) -> None:
    assert faults(f'[models.m]\nname = "m"\ntag = "{tag}"') == {}


@pytest.mark.parametrize("tag", ["", "a b", "m:", ":1", "m:1:2", "/m", "../m", "m:" + "x" * 81])
def test_what_ollama_would_not_take_is_no_tag(faults: Faults, tag: str) -> None:
    assert "name:tag of Ollama" in faults(f'[models.m]\nname = "m"\ntag = "{tag}"')["models.m.tag"].rule


@pytest.mark.parametrize(
    ("second", "key"),
    [('name = "m-1"', "models.n.name"), ('name = "n"\naliases = ["m-1"]', "models.n.aliases[0]")],
)
def test_a_public_name_means_one_model(faults: Faults, second: str, key: str) -> None:
    assert "is taken by models.m.name" in faults(f'{MODEL}[models.n]\ntag = "n:1"\n{second}')[key].rule


@pytest.mark.parametrize(("name", "refused"), [("m-1", False), ("alias", False), ("", False), ("gpt", True)])
def test_the_default_model_must_be_known(faults: Faults, name: str, refused: bool) -> None:
    toml = f'default_model = "{name}"\n{MODEL}aliases = ["alias"]\n'
    assert ("default_model" in faults(toml)) is refused


def test_a_rule_says_nothing_about_a_value_that_is_refused_already(faults: Faults) -> None:
    assert set(faults("[server]\nthreads = 2\nmax_in_flight = 100")) == {"server.threads"}
    assert set(faults('[server]\nlisten = "0.0.0.0:1"\n[auth]\nkeys = 3')) == {"auth.keys"}
    assert set(faults('default_model = "x"\n[models.m]\nname = "x"')) == {"models.m.tag"}


TWO = f'{MODEL}aliases = ["one"]\n[models.n]\nname = "n-1"\ntag = "n:1"\naliases = ["two"]\n'


@pytest.mark.parametrize(
    ("code", "hint"),
    [("xx", "such as pt, en"), ("pr", "near it: pa, pl, ps, pt"), ("Portuguese", "such as pt or en")],
)
def test_a_wrong_language_is_pointed_at_by_its_place(faults: Faults, code: str, hint: str) -> None:
    (fault,) = faults(f'[routing]\nlanguages = ["pt", "{code}"]').values()
    assert (fault.key, fault.value) == ("routing.languages[1]", code)
    assert hint in fault.rule
    assert "IA0_ROUTING__LANGUAGES" in faults("", {"IA0_ROUTING__LANGUAGES": f"pt,{code}"})[fault.key].where


def test_a_models_language_that_is_not_told_apart_is_pointed_at(faults: Faults) -> None:
    fault = faults('[routing]\nlanguages = ["pt"]\n' + MODEL + 'languages = ["pt", "de"]')
    assert "add it there" in fault["models.m.languages[1]"].rule


def test_only_the_wrong_entries_of_a_list_are_told(faults: Faults) -> None:
    assert set(faults(MODEL + 'languages = ["pt", 7, "P"]')) == {
        "models.m.languages[1]",
        "models.m.languages[2]",
    }


def test_a_fallback_may_be_named_by_an_alias(load: Load) -> None:
    assert load(TWO + 'fallbacks = ["one"]').models["n"].fallbacks == ("m-1",)


def test_a_keys_models_may_be_named_by_aliases(load: Load) -> None:
    key = f'[[auth.keys]]\nname = "a"\nsha256 = "{"a" * 64}"\nmodels = ["one", "m-1", "two"]\n'
    assert load(key + TWO).auth.keys[0].models == ("m-1", "n-1")


@pytest.mark.parametrize(
    ("names", "key", "rule"),
    [
        ('"two"', "models.n.fallbacks[0]", "is the model itself (an alias of n-1)"),
        ('"m-1", "one"', "models.n.fallbacks[1]", "stands there twice (an alias of m-1)"),
        ('"m-1", "three"', "models.n.fallbacks[1]", "is not the name of a model: m-1, one, n-1, two"),
    ],
)
def test_a_wrong_fallback_is_told_by_its_place(faults: Faults, names: str, key: str, rule: str) -> None:
    assert faults(f"{TWO}fallbacks = [{names}]")[key].rule == rule
