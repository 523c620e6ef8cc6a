"""The routes of the API, a module for each, and the table of them all.

Owns the list. What a route takes and how it answers is its own module's; the way
between is `gateway/answer.py`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.gateway.routes import health, llm, models, ollama, openai_table
from ia0_daemon.gateway.routes.docs import with_documents

if TYPE_CHECKING:
    from ia0_daemon.gateway.operation import Operation

OPERATIONS: tuple[Operation, ...] = with_documents(
    (
        *llm.OPERATIONS,
        *models.OPERATIONS,
        *openai_table.OPERATIONS,
        *ollama.OPERATIONS,
        *health.OPERATIONS,
    )
)
"""Every route of the main listener; the small one has those of health alone."""
