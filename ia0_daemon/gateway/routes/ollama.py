"""The table of the routes that Ollama's clients ask, one list out of their modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.gateway.routes import (
    ollama_admin,
    ollama_chat,
    ollama_embed,
    ollama_generate,
    ollama_models,
)

if TYPE_CHECKING:
    from ia0_daemon.gateway.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *ollama_chat.OPERATIONS,
    *ollama_generate.OPERATIONS,
    *ollama_embed.OPERATIONS,
    *ollama_models.OPERATIONS,
    *ollama_admin.OPERATIONS,
)
