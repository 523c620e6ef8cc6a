"""Which model a request gets."""

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
    [("qwen2-7b", PORTUGUESE), *((name, GENERAL) for name in ("llama3.1-8b", "llama", "auto", None))],
)
def test_a_model_is_found_by_every_name(name: str | None, model: Model) -> None:
    assert Catalog(BOTH).choose(name) is model


@pytest.mark.parametrize("name", ["", "qwen2:7b", "QWEN2-7B", "AUTO", "x" * 10_000])
def test_another_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"known: llama, llama3\.1-8b, qwen2-7b, auto") as caught:
        Catalog(BOTH).choose(name)
    assert len(caught.value.message) < 500


def test_the_operators_default_comes_first() -> None:
    assert Catalog(Settings(models=BOTH.models, default_model="qwen2-7b")).default is PORTUGUESE


def test_without_a_general_model_the_first_is_the_default() -> None:
    assert Catalog(Settings(models={"a": PORTUGUESE})).default is PORTUGUESE
