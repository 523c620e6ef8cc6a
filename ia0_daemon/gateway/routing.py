"""Which models may answer a request, in which order.

    name -> that model;  none or `auto` -> the prompt's language -> the model for it, else the default
    then its fallbacks, as far as the key may use them

Owns the choice. Pure but for the detector, which is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ia0_daemon.errors import Forbidden
from ia0_daemon.gateway.catalog import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.gateway.catalog import Catalog
    from ia0_daemon.gateway.wanted import Wanted
    from ia0_daemon.settings.schema import ApiKey, Model

NAMED, DEFAULT, LANGUAGE = "named", "default", "language"


@dataclass(frozen=True, slots=True)
class Route:
    """The models that may answer, the first one first, and why it is the first."""

    chain: tuple[Model, ...]
    reason: str
    """`named`, `default`, or `language:pt`."""


class Router:
    """The choice of one configuration. Immutable; a reload makes another."""

    def __init__(self, catalog: Catalog, detect: Callable[[str], str | None] | None) -> None:
        """`detect` gives the language of a text (ISO 639-1); none where no model is for a language."""
        self._catalog = catalog
        self._detect = detect
        self._by_language = {
            language: model for model in reversed(catalog.models) for language in model.languages
        }

    def route(self, wanted: Wanted, key: ApiKey | None) -> Route:
        """Give the models for a request. Raises `ModelNotFound` and `Forbidden`."""
        if wanted.model is None or wanted.model == AUTO:
            first, reason = self._choose(wanted, key)
        else:
            first, reason = self.permitted(wanted.model, key), NAMED
        others = (self._catalog.named(name) for name in first.fallbacks)
        return Route((first, *(model for model in others if may_use(key, model))), reason)

    def _choose(self, wanted: Wanted, key: ApiKey | None) -> tuple[Model, str]:
        """Choose among the models that the key may use."""
        language = self._detect(wanted.text()) if self._detect is not None else None
        model = self._by_language.get(language or "")
        if model is not None and may_use(key, model):
            return model, f"{LANGUAGE}:{language}"
        return self.default_for(key), DEFAULT

    def permitted(self, name: str, key: ApiKey | None) -> Model:
        """Give the model of a name that the key may use. Raises `ModelNotFound` and `Forbidden`."""
        model = self._catalog.named(name, partial(may_use, key))
        _check_permission(model, key)
        return model

    def default_for(self, key: ApiKey | None) -> Model:
        """Give the model that answers this key where no language is another's."""
        permitted = (each for each in (self._catalog.default, *self._catalog.models) if may_use(key, each))
        return next(permitted, self._catalog.default)


def may_use(key: ApiKey | None, model: Model) -> bool:
    """Say whether a key may use a model."""
    return key is None or not key.models or model.name in key.models


def _check_permission(model: Model, key: ApiKey | None) -> None:
    if key is not None and not may_use(key, model):
        raise Forbidden(
            f"model: the key {key.name!r} may not use {model.name!r}; it may use {', '.join(key.models)}",
            field="model",
            value=model.name,
            allowed=list(key.models),
        )
