"""What `make up` refuses before it changes anything: value, rule, and what to do."""

from __future__ import annotations

import os
import socket

import pytest

from tests.integration.provisioning.site import Site


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("IA0_PORT", "abc", "IA0_PORT=abc: must be a port from 1 to 65534"),
        ("IA0_PORT", "65535", "IA0_PORT=65535: must be a port from 1 to 65534"),
        ("IA0_ENGINE_PORT", "0", "IA0_ENGINE_PORT=0: must be a port from 1 to 65535"),
        ("IA0_DIR", "relative/folder", "IA0_DIR=relative/folder: must be an absolute path"),
        ("IA0_DIR", "/tmp/with blanks", "IA0_DIR=/tmp/with blanks: must be an absolute path"),
        ("IA0_DIR", "/", "IA0_DIR=/: must be an absolute path"),
        ("IA0_DIR", f"/tmp/{'x' * 120}", "a socket's path may have 107 characters"),
        ("ENGINE", "vllm", "ENGINE=vllm: must be embedded"),
        ("MAX_TOKENS", "many", "'many' is not a whole number from 1 to 10000000 (MAX_TOKENS)"),
        ("TIMEOUT", "soon", "'soon' is not a duration such as 30s or 500ms, from 100ms to 24h (TIMEOUT)"),
        ("LOG_LEVEL", "loud", "'loud' is not one of DEBUG, INFO, WARNING, ERROR (LOG_LEVEL)"),
        ("MODEL_QWEN2", "two words", "'two words' is not a model's name"),
    ],
)
def test_a_wrong_value_is_refused_with_its_rule(fresh_site: Site, name: str, value: str, rule: str) -> None:
    refused = fresh_site.up(**{name: value})
    assert refused.code != 0
    assert rule in refused.said
    assert not fresh_site.folder.exists()


@pytest.mark.parametrize(
    ("offset", "advice"),
    [(0, "make up IA0_PORT="), (1, "make up IA0_PORT=")],
    ids=["of the API", "of the health listener"],
)
def test_a_taken_port_names_who_has_it(fresh_site: Site, offset: int, advice: str) -> None:
    with socket.create_server(("127.0.0.1", fresh_site.port + offset)):
        refused = fresh_site.up()
    assert refused.code != 0
    assert f"127.0.0.1:{fresh_site.port + offset} is taken by pid {os.getpid()} (" in refused.said
    assert advice in refused.said
    assert not fresh_site.folder.exists()


def test_a_taken_port_of_the_engine_names_who_has_it(fresh_site: Site) -> None:
    with socket.create_server(("127.0.0.1", fresh_site.engine_port)):
        refused = fresh_site.up()
    assert f"127.0.0.1:{fresh_site.engine_port} is taken by pid {os.getpid()} (" in refused.said
    assert "make up IA0_ENGINE_PORT=" in refused.said
    assert not fresh_site.folder.exists()


@pytest.mark.parametrize("variable", ["ia0_daemon_server_treads", "embedded_engine_listn", "smoke_test_modl"])
def test_a_mistyped_variable_is_refused(fresh_site: Site, variable: str) -> None:
    refused = fresh_site.up("--tags", "preflight", "-e", f"{variable}=1")
    assert refused.code != 0
    assert f"{variable}: no such variable of the role" in refused.said


def test_a_down_of_what_was_never_up_is_fine(fresh_site: Site) -> None:
    down = fresh_site.down()
    assert (down.code, down.changed) == (0, 0)
