"""What ``/api/ps`` says of a loaded model's size: worked out once, when it is loaded.

    loaded_size(launch) -> bytes of weights, context cache and buffers

Ollama reads these figures from its child's log; they are load-time values there
too, and never follow what the process really holds.
"""

from __future__ import annotations

from ia0_daemon.embedded.launch import Launch

# Two bytes for each number of the cache (f16), keys and values.
_CACHE_BYTES = 2 * 2
# What llama.cpp sets aside for computing, for a model of this size; seen in its log.
_BUFFERS = 100 * 1024 * 1024


def loaded_size(launch: Launch) -> int:
    """Bytes that the model takes with its whole context."""
    return launch.model.path.stat().st_size + cache_size(launch) + _BUFFERS


def cache_size(launch: Launch) -> int:
    """Bytes of the context's keys and values."""
    metadata = launch.model.metadata
    heads = max(metadata.of_architecture("attention.head_count"), 1)
    kept_heads = metadata.of_architecture("attention.head_count_kv", heads)
    width = metadata.of_architecture("embedding_length") // heads * kept_heads
    tokens = launch.num_ctx * launch.parallel
    return _CACHE_BYTES * width * metadata.of_architecture("block_count") * tokens
