"""The `options` of Ollama's requests: which there are, and what becomes of each.

Owns their names and types. Whether one may reload a model is `guards.py`'s. Pure.

    options -> types -> without the runner's (refused or left out) -> a bound for the tokens
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from ia0_daemon.gateway.guards import token_bound, without_runner_options

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Limits

Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# Older engines had them, and the official client still sends them; Ollama warns of them and does nothing.
WITHOUT_EFFECT = frozenset(
    {
        "numa", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock", "embedding_only",
        "tfs_z", "mirostat", "mirostat_tau", "mirostat_eta", "penalize_newline",
    }
)  # fmt: skip


class Options(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How to sample; `null` is the same as left out. Those that load a model are its configuration's."""

    num_keep: Int | None = None
    seed: Int | None = None
    num_predict: Int | None = None
    """Most tokens of the answer; none, or less than 0: as many as `limits.max_tokens` allows."""
    top_k: Int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_last_n: Int | None = None
    temperature: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: list[str] | str | None = None
    num_ctx: Int | None = None
    num_batch: Int | None = None
    num_gpu: Int | None = None
    main_gpu: Int | None = None
    use_mmap: bool | None = None
    num_thread: Int | None = None
    draft_num_predict: Int | None = None
    numa: bool | None = None
    low_vram: bool | None = None
    f16_kv: bool | None = None
    logits_all: bool | None = None
    vocab_only: bool | None = None
    use_mlock: bool | None = None
    embedding_only: bool | None = None
    tfs_z: float | None = None
    mirostat: Int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    penalize_newline: bool | None = None


_NAMES = tuple(name for name in Options.__struct_fields__ if name not in WITHOUT_EFFECT)


def sampling(options: Options | None, limits: Limits) -> dict[str, Any]:
    """Give what goes to the engine; `num_predict` is always among it. Raises `InvalidRequest`."""
    said = {} if options is None else without_runner_options(_said(options), limits, "options")
    wanted = said.get("num_predict")
    bound = None if wanted is None or wanted < 0 else wanted
    said["num_predict"] = token_bound(bound, limits, "options.num_predict")
    stop = said.get("stop")
    if isinstance(stop, str):
        said["stop"] = [stop]
    return said


def for_vectors(options: Options | None, limits: Limits) -> dict[str, Any]:
    """Give what may go along where vectors are asked for. Raises `InvalidRequest`."""
    return {} if options is None else without_runner_options(_said(options), limits, "options")


def _said(options: Options) -> dict[str, Any]:
    return {name: value for name in _NAMES if (value := getattr(options, name)) is not None}
