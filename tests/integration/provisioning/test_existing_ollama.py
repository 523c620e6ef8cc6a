"""ENGINE=ollama: an engine that somebody else runs is used, checked first, and left alone.

The somebody else is the try-out's own engine, which speaks as an Ollama does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.integration.provisioning.site import Site

TAGS = ("qwen2:7b", "llama3.1:8b")


@pytest.fixture
def ollama(site: Site) -> Iterator[str]:
    """The address of an engine that has the two models of a real site."""
    url = f"http://127.0.0.1:{site.engine_port}"
    for tag in TAGS:
        copied = requests.post(
            f"{url}/api/copy", json={"source": "smollm2:135m", "destination": tag}, timeout=30
        )
        assert copied.status_code == 200
    yield f"127.0.0.1:{site.engine_port}"
    for tag in TAGS:
        requests.delete(f"{url}/api/delete", json={"model": tag}, timeout=30)


def test_it_is_used_under_the_users_own_names_and_left_alone(
    site: Site, fresh_site: Site, ollama: str
) -> None:
    engine = site.pid("engine")
    up = fresh_site.up(ENGINE="ollama", OLLAMA_HOST=f"http://{ollama}/", MODEL_LLAMA="geral")
    assert up.code == 0, up.output
    assert (fresh_site.generate().json()["model"], fresh_site.pid("engine")) == ("qwen2-7b", None)
    assert '"geral"' in requests.get(f"http://127.0.0.1:{fresh_site.port}/models", timeout=30).text
    assert fresh_site.down().changed == 1
    assert site.pid("engine") == engine


def test_a_missing_model_is_refused_before_anything_is_changed(site: Site, fresh_site: Site) -> None:
    refused = fresh_site.up(ENGINE="ollama", OLLAMA_HOST=f"127.0.0.1:{site.engine_port}")
    assert refused.code != 0
    assert "has not got qwen2:7b, llama3.1:8b. Bring it there: ollama pull qwen2:7b" in refused.said
    assert not fresh_site.folder.exists()


def test_an_unreachable_one_is_refused_before_anything_is_changed(fresh_site: Site) -> None:
    refused = fresh_site.up(ENGINE="ollama", OLLAMA_HOST=f"127.0.0.1:{fresh_site.engine_port}")
    assert refused.code != 0
    assert f"no Ollama answers at http://127.0.0.1:{fresh_site.engine_port}/api/tags" in refused.said
    assert not fresh_site.folder.exists()


def test_an_address_that_is_none_is_named(fresh_site: Site) -> None:
    refused = fresh_site.up(ENGINE="ollama", OLLAMA_HOST="localhost:99999")
    assert "localhost:99999" in refused.said
    assert "is not an address with a port from 1 to 65535 (OLLAMA_HOST)" in refused.said
    assert not fresh_site.folder.exists()
