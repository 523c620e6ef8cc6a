"""What a child is started with: the argument list that Ollama gives llama-server.

    launch_arguments(launch, port) -> ["--model", ...]

Owns the list and its order (Ollama's ``startLlamaServer``) and the rule about
mmap. Pure: starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ia0_daemon.embedded.models import Model
from ia0_daemon.embedded.options import Options

# Ollama's default batch of embedding models, which must take a whole text at once.
EMBEDDING_BATCH = 2048


@dataclass(frozen=True)
class Launch:
    """One model with everything that a running child cannot change."""

    model: Model
    options: Options
    parallel: int = 1
    shift: bool = True
    embedding: bool = False
    cpu_only: bool = False

    @property
    def num_ctx(self) -> int:
        """The context of one answer, never beyond what the model was trained with."""
        trained = self.model.metadata.of_architecture("context_length")
        return min(self.options.num_ctx, trained) if trained else self.options.num_ctx

    @property
    def uses_mmap(self) -> bool:
        """Off without a GPU, unless the request says otherwise (Ollama's rule)."""
        if self.options.use_mmap is not None:
            return self.options.use_mmap
        return not self.cpu_only


def launch_arguments(launch: Launch, port: int) -> list[str]:
    """The child's arguments. llama.cpp divides ``-c`` among its slots, hence context x parallel."""
    options = launch.options
    arguments = [
        "--model", str(launch.model.path), "--port", str(port), "--host", "127.0.0.1",
        "--no-webui", "--offline",
        "-c", str(launch.num_ctx * launch.parallel), "-np", str(launch.parallel),
        "--log-verbosity", "4", "--no-log-prefix", "--no-log-timestamps",
        "--no-jinja", "--chat-template", "chatml",
    ]  # fmt: skip
    if not launch.uses_mmap:
        arguments += ["--load-mode", "none"]
    arguments += ["--flash-attn", "auto", *_batch(launch)]
    if launch.cpu_only or options.num_gpu >= 0:
        arguments += ["-ngl", str(0 if launch.cpu_only else options.num_gpu)]
    if options.num_thread > 0:
        arguments += ["-t", str(options.num_thread)]
    if options.main_gpu is not None:
        arguments += ["--split-mode", "none", "--main-gpu", str(options.main_gpu)]
    if launch.shift:
        arguments += ["--context-shift", *(["--keep", str(options.num_keep)] if options.num_keep > 0 else [])]
    return arguments


def _batch(launch: Launch) -> list[str]:
    if not launch.embedding:
        size = launch.options.num_batch
        return ["-b", str(size), "-ub", str(size)] if size > 0 else []
    whole = str(min(EMBEDDING_BATCH, launch.num_ctx))
    pooling = [] if launch.model.metadata.is_embedding_model else ["--pooling", "mean"]
    return ["--embedding", "-b", whole, "-ub", whole, *pooling]
