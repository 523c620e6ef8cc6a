"""Which model a name stands for."""

from __future__ import annotations

import pytest

from ia0_daemon.errors import ModelNotFound
from ia0_daemon.gateway.catalog import Catalog
from ia0_daemon.settings.schema import Model, Settings

PORTUGUESE = Model(name="qwen2-7b", tag="qwen2:7b", languages=("pt",))
GENERAL = Model(name="llama3.1-8b", tag="llama3.1:8b", aliases=("llama",))
BOTH = Settings(models={"a": PORTUGUESE, "b": GENERAL})


@pytest.mark.parametrize(
    ("name", "model"),
    [
        *((name, PORTUGUESE) for name in ("qwen2-7b", "qwen2:7b")),
        *((name, GENERAL) for name in ("llama3.1-8b", "llama", "llama3.1:8b")),
    ],
)
def test_a_model_is_found_by_every_name(name: str, model: Model) -> None:
    assert Catalog(BOTH).named(name) is model


@pytest.mark.parametrize("tag", ["tiny", "tiny:latest"])
def test_an_engines_tag_may_leave_latest_out(tag: str) -> None:
    model = Model(name="small", tag=tag)
    assert {Catalog(Settings(models={"a": model})).named(name) for name in (tag, "tiny:latest")} == {model}


def test_a_public_name_is_stronger_than_a_tag() -> None:
    named = Model(name="qwen2:7b", tag="other:1b")
    assert Catalog(Settings(models={"a": PORTUGUESE, "b": named})).named("qwen2:7b") is named


@pytest.mark.parametrize("name", ["", "auto", "qwen2:72b", "QWEN2-7B", "AUTO", "x" * 10_000])
def test_another_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"known: llama, llama3\.1-8b, qwen2-7b, auto") as caught:
        Catalog(BOTH).named(name)
    assert len(caught.value.message) < 500


def test_the_operators_default_comes_first() -> None:
    assert Catalog(Settings(models=BOTH.models, default_model="qwen2-7b")).default is PORTUGUESE


def test_without_a_general_model_the_first_is_the_default() -> None:
    assert Catalog(Settings(models={"a": PORTUGUESE})).default is PORTUGUESE
