"""Which models may answer a request, and why the first one is the first."""

from __future__ import annotations

import pytest

from ia0_daemon.engine.messages import Message
from ia0_daemon.errors import Forbidden, ModelNotFound
from ia0_daemon.gateway.catalog import Catalog
from ia0_daemon.gateway.routing import Route, Router
from ia0_daemon.gateway.wanted import Wanted
from ia0_daemon.settings.schema import ApiKey, Model, Settings

PORTUGUESE = Model(name="qwen2-7b", tag="qwen2:7b", languages=("pt",), fallbacks=("llama3.1-8b",))
GENERAL = Model(name="llama3.1-8b", tag="llama3.1:8b", fallbacks=("qwen2-7b", "tiny"))
TINY = Model(name="tiny", tag="tiny:1b")
MODELS = Settings(models={"a": PORTUGUESE, "b": GENERAL, "c": TINY})


def key(*models: str) -> ApiKey:
    return ApiKey(name="shop", sha256="0" * 64, models=models)


def route(name: str | None = None, language: str | None = None, owner: ApiKey | None = None) -> Route:
    router = Router(Catalog(MODELS), lambda _: language)
    return router.route(Wanted(name, [Message("user", "Olá")], {}), owner)


def names(found: Route) -> list[str]:
    return [model.name for model in found.chain]


@pytest.mark.parametrize("name", [None, "auto"])
def test_the_prompts_language_chooses(name: str | None) -> None:
    found = route(name, "pt")
    assert (names(found)[0], found.reason) == ("qwen2-7b", "language:pt")


@pytest.mark.parametrize("language", ["es", "en", None])
def test_another_language_or_none_is_the_defaults(language: str | None) -> None:
    found = route("auto", language)
    assert (names(found)[0], found.reason) == ("llama3.1-8b", "default")


def test_a_name_is_stronger_than_the_language() -> None:
    assert (names(route("tiny", "pt")), route("tiny", "pt").reason) == (["tiny"], "named")


def test_where_no_model_is_for_a_language_nothing_is_detected() -> None:
    router = Router(Catalog(Settings(models={"c": TINY})), None)
    assert router.route(Wanted(None, [Message("user", "Olá")], {}), None).chain == (TINY,)


def test_the_last_words_of_the_user_are_judged() -> None:
    judged: list[str] = []
    router = Router(Catalog(MODELS), lambda text: judged.append(text))
    said = [Message("system", "Be brief."), Message("user", "Hello"), Message("user", "Olá, tudo bem?")]
    router.route(Wanted(None, said, {}), None)
    assert judged == ["Olá, tudo bem?"]


def test_fallbacks_follow_in_their_order() -> None:
    assert names(route("llama3.1-8b")) == ["llama3.1-8b", "qwen2-7b", "tiny"]


def test_a_fallback_that_the_key_may_not_use_is_left_out() -> None:
    assert names(route("llama3.1-8b", owner=key("llama3.1-8b", "tiny"))) == ["llama3.1-8b", "tiny"]


def test_a_model_that_the_key_may_not_use_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="'shop' may not use 'qwen2-7b'; it may use tiny"):
        route("qwen2-7b", owner=key("tiny"))


def test_auto_is_a_model_that_the_key_may_use() -> None:
    assert names(route("auto", "pt", key("tiny"))) == ["tiny"]


def test_a_name_that_nobody_has_is_not_found() -> None:
    with pytest.raises(ModelNotFound):
        route("gpt-4")
