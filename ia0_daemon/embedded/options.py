"""The ``options`` of a request, and which of them make a model load again.

Owns names, types and defaults (Ollama's ``api.Options``). An unknown option is
warned of and ignored; a wrong type is refused with Ollama's text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ia0_daemon.embedded.failures import EngineFailure

_log = logging.getLogger(__name__)

# An open-ended answer ends at ten contexts: Ollama's openEndedGenerationContextMultiplier.
OPEN_ENDED_CONTEXTS = 10


@dataclass(frozen=True)
class Options:
    """Every option that Ollama knows, with its default. ``None``: the engine decides."""

    num_keep: int = 4
    seed: int = -1
    num_predict: int = -1
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    num_ctx: int = 4096
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int = 0
    draft_num_predict: int = 4

    def runner_key(self) -> tuple[object, ...]:
        """The options that a loaded model cannot change: another value loads it again."""
        return (
            self.num_ctx, self.num_batch, self.num_gpu, self.main_gpu,
            self.use_mmap, self.num_thread, self.draft_num_predict,
        )  # fmt: skip

    def bounded_predict(self, num_ctx: int) -> int:
        """``num_predict``, or ten contexts when it is open-ended or beyond that."""
        limit = OPEN_ENDED_CONTEXTS * num_ctx
        return limit if self.num_predict < 0 or self.num_predict > limit else self.num_predict


_KINDS = {item.name: item.type for item in fields(Options)}


def apply(options: Options, given: Mapping[str, Any]) -> Options:
    """The options with these values laid over; EngineFailure (500, as in Ollama) on a wrong type."""
    changes: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _KINDS:
            _log.warning("invalid option provided option=%s", key)
        elif value is not None:
            changes[key] = _converted(key, str(_KINDS[key]), value)
    return replace(options, **changes)


def _converted(key: str, kind: str, value: object) -> object:
    if kind.startswith("bool"):
        return _of(value, bool, key, "boolean")
    if kind.startswith("float"):
        return float(_number(value, key, "float32"))
    if kind.startswith("int"):
        return int(_number(value, key, "integer"))
    return _strings(key, value)


def _number(value: object, key: str, word: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EngineFailure(f'option "{key}" must be of type {word}')
    return value


def _of(value: object, kind: type, key: str, word: str) -> object:
    if not isinstance(value, kind):
        raise EngineFailure(f'option "{key}" must be of type {word}')
    return value


def _strings(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise EngineFailure(f'option "{key}" must be of type array')
    if not all(isinstance(item, str) for item in value):
        raise EngineFailure(f'option "{key}" must be of an array of strings')
    return tuple(value)
