"""The routes that OpenAI's SDKs ask, together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.gateway.routes import (
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_models,
    openai_responses,
)

if TYPE_CHECKING:
    from ia0_daemon.gateway.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *openai_chat.OPERATIONS,
    *openai_completions.OPERATIONS,
    *openai_embeddings.OPERATIONS,
    *openai_models.OPERATIONS,
    *openai_responses.OPERATIONS,
)
