"""The routes of the API, a module for each, and the table of them all.

Owns the list. What a route takes and how it answers is its own module's; the way
between is `gateway/answer.py`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.gateway.routes import llm, models, ollama, openai_table

if TYPE_CHECKING:
    from ia0_daemon.gateway.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *llm.OPERATIONS,
    *models.OPERATIONS,
    *openai_table.OPERATIONS,
    *ollama.OPERATIONS,
)
"""Every route of the main listener but health and metrics, which the small one has, too."""
