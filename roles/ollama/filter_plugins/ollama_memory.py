"""The filter ``ollama_memory``: what the settings of Ollama add up to, and in whose memory it lies.

Pure arithmetic with a text that shows it. Never looks at a host.

    settings -> the models that may be loaded at once -> bytes of the host, bytes of the GPUs, text
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleFilterError

MIB = 1024 * 1024
# What a model's process holds beside weights, keys and values and prompt cache: buffers, the CUDA context.
PROCESS_BYTES = 512 * MIB
# Bytes of a value against f16's: ggml packs 32 of them with one scale of 2 bytes.
CACHE_SCALES = {"f16": 1.0, "q8_0": 34 / 64, "q4_0": 18 / 64}
# What Ollama chooses for 0: three models on one GPU (server/sched.go).
AUTOMATIC_MODELS = 3
_UNITS = {"": 1, "K": 1024, "M": MIB, "G": 1024 * MIB, "T": 1024 * 1024 * MIB}


@dataclass(frozen=True)
class Model:
    """What one model needs while it is loaded, in bytes."""

    tag: str
    weights: int
    kept: int
    how_kept: str

    @property
    def total(self) -> int:
        """Weights, and keys and values."""
        return self.weights + self.kept


def ollama_memory(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give ``on_host_bytes``, ``on_gpu_bytes``, ``text`` and ``unknown`` (tags whose size nobody told)."""
    at_once = int(settings["max_loaded_models"]) or AUTOMATIC_MODELS
    tags = list(settings["tags"])
    known = [_model(tag, settings) for tag in tags if tag in settings["sizes"]]
    loaded = sorted(known, key=lambda model: model.total, reverse=True)[:at_once]
    cache = int(settings["cache_ram_mib"]) * MIB
    beside = at_once * (cache + PROCESS_BYTES)
    models = sum(model.total for model in loaded)
    on_gpu = settings["vendor"] != "none"
    return {
        "on_host_bytes": beside + (0 if on_gpu else models),
        "on_gpu_bytes": models if on_gpu else 0,
        "text": _text(at_once, cache, loaded, on_gpu=on_gpu),
        "unknown": [tag for tag in tags if tag not in settings["sizes"]],
    }


def ollama_bytes(text: str, total: int) -> int:
    """Read a memory limit as systemd takes it (``95%``, ``20G``, ``infinity``) on a host of so many bytes."""
    if text == "infinity":
        return total
    if match := re.fullmatch(r"(\d{1,2}|100)%", text):
        return total * int(match[1]) // 100
    if match := re.fullmatch(r"(\d+)([KMGT]?)", text):
        return int(match[1]) * _UNITS[match[2]]
    raise AnsibleFilterError(f"{text}: a memory limit is a percentage (95%), a size (20G) or infinity")


def _model(tag: str, settings: Mapping[str, Any]) -> Model:
    size = settings["sizes"][tag]
    context, parallel = int(settings["context_length"]), int(settings["num_parallel"])
    per_token = int(int(size["kv_bytes_per_token"]) * CACHE_SCALES[str(settings["kv_cache_type"])])
    kept = context * parallel * per_token
    how = f"{context} tokens x {parallel} parallel x {per_token} bytes ({settings['kv_cache_type']})"
    return Model(tag, int(size["weights_bytes"]), kept, how)


def _text(at_once: int, cache: int, loaded: list[Model], *, on_gpu: bool) -> str:
    """The arithmetic, a sum of the host's and one of the GPUs'."""
    beside = (
        f"{at_once} models at once (ollama_max_loaded_models) x ({_mib(cache)} prompt cache + "
        f"{_mib(PROCESS_BYTES)} for the process) = {_mib(at_once * (cache + PROCESS_BYTES))}"
    )
    models = " + ".join(
        f"{model.tag}: weights {_mib(model.weights)} + {model.how_kept} = {_mib(model.total)}"
        for model in loaded
    )
    if not on_gpu:
        return " + ".join(filter(None, [f"host: {beside}", models]))
    return f"host: {beside}; GPU: {models or 'no model of a known size'}"


def _mib(number: int) -> str:
    return f"{round(number / MIB)} MiB"


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"ollama_memory": ollama_memory, "ollama_bytes": ollama_bytes}
