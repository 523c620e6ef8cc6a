"""Which model a name stands for: public names, aliases, and the engine's own tags.

Owns the names that may be asked for. Pure; a reload makes a new catalog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.engine.watch import full_name
from ia0_daemon.errors import ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.settings.schema import Model, Settings

AUTO = "auto"


class Catalog:
    """The configured models by every name that they go by."""

    def __init__(self, settings: Settings) -> None:
        self.models: tuple[Model, ...] = tuple(settings.models.values())
        self._by_name = {name: model for model in self.models for name in (model.name, *model.aliases)}
        # A public name is stronger than a tag that is spelt the same.
        self._by_tag = {
            name: model for model in reversed(self.models) for name in (full_name(model.tag), model.tag)
        }
        self.default = self._by_name.get(settings.default_model) or self._general()

    def named(self, name: str, is_told: Callable[[Model], bool] = lambda _: True) -> Model:
        """Give the model of this name, alias or tag. Raises `ModelNotFound`, which tells the names there are.

        `is_told`: whether a model's names are among these.
        """
        model = self._by_name.get(name) or self._by_tag.get(name)
        if model is None:
            known = [*sorted(each for each, model in self._by_name.items() if is_told(model)), AUTO]
            raise ModelNotFound(
                f"model: there is no {name[:128]!r}; known: {', '.join(known)}",
                field="model",
                value=name[:128],
                known=known,
            )
        return model

    def _general(self) -> Model:
        """Without a word of the operator's: the first model that is for no language in particular."""
        return next((model for model in self.models if not model.languages), self.models[0])
