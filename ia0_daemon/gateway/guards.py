"""What no request may do to the engine, whatever route it comes by.

Owns the bounds of prompt and answer, and the options that would reload a model.
Pure: values in, values or an error out. Never knows a route's field names: they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.body import short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ia0_daemon.settings.schema import Limits, Model

# A change of one of these loads the model again, for whoever asks next, too [ollama.md, "Scheduler"].
RUNNER_OPTIONS = frozenset(
    {"num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict"}
)


def check_prompt(chars: int, limits: Limits, field: str) -> None:
    """Hold a prompt, system texts included, to `limits.max_prompt_chars`. Raises `InvalidRequest`."""
    if chars > limits.max_prompt_chars:
        raise InvalidRequest(
            f"{field}: {chars} characters, system text included; limits.max_prompt_chars allows "
            f"{limits.max_prompt_chars}",
            field=field,
            value=chars,
            limit=limits.max_prompt_chars,
            setting="limits.max_prompt_chars",
        )


def token_bound(wanted: int | None, limits: Limits, field: str) -> int:
    """Give how many tokens the answer may have; nothing said is the most. Raises `InvalidRequest`."""
    if wanted is None:
        return limits.max_tokens
    if wanted > limits.max_tokens:
        raise InvalidRequest(
            f"{field}: {wanted} is more than limits.max_tokens (MAX_TOKENS) allows, "
            f"which is {limits.max_tokens}",
            field=field,
            value=wanted,
            rule=f"at most {limits.max_tokens}",
            limit=limits.max_tokens,
            setting="limits.max_tokens",
        )
    return wanted


def without_runner_options(options: Mapping[str, Any], limits: Limits, field: str) -> dict[str, Any]:
    """Give the options that may go to the engine. Raises `InvalidRequest` where the others are refused."""
    pinned = sorted(RUNNER_OPTIONS & options.keys())
    if pinned and limits.runner_options == "refuse":
        raise InvalidRequest(
            f"{field}.{pinned[0]}: it would load the model again for everybody, so the model's configuration "
            "decides it; leave it out (with limits.runner_options = strip it is ignored)",
            field=f"{field}.{pinned[0]}",
            value=short(options[pinned[0]]),
            rule="decided by the model's configuration",
            setting="limits.runner_options",
        )
    return {name: value for name, value in options.items() if name not in RUNNER_OPTIONS}


def is_context_full(prompt: int, completion: int, context: int, bound: int) -> bool:
    """Say whether an answer that ended by its length ended because the context was full; all in tokens.

    `bound`: how many tokens it might have had.
    """
    return 0 < context <= prompt + completion + 1 and completion < bound


def context_of(model: Model, loaded: int) -> int:
    """Give a model's context in tokens: as it is loaded, else as it will be; 0 where nobody knows."""
    return loaded or model.num_ctx
