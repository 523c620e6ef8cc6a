"""From messages to the prompt of a chat, with the oldest messages left out where it would not fit.

chat_prompt(...) -> messages that fit -> template -> prompt
"""

from __future__ import annotations

import logging
from typing import Any

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import EngineFailure
from ia0_daemon.embedded.runner import Runner
from ia0_daemon.embedded.template import Message, Template, Values
from ia0_daemon.embedded.template_lex import TemplateError
from ia0_daemon.embedded.truncation import drop_old_messages

_log = logging.getLogger(__name__)


def render(template: Template, values: Values) -> str:
    """The template's text; a template that cannot be filled is a 500, as in Ollama."""
    try:
        return template.render(values)
    except TemplateError as error:
        raise EngineFailure(str(error)) from error


def chat_prompt(
    runner: Runner,
    context: Context,
    template: Template,
    messages: list[Message],
    tools: list[Any],
    *,
    truncate: bool,
) -> str:
    """The prompt of these messages; with ``truncate`` the oldest go until the rest fits the context."""

    def fits(some: list[Message]) -> bool:
        text = render(template, Values(some, tools))
        # A token is at least a byte, so a shorter text needs no counting.
        return len(text.encode()) <= runner.num_ctx or len(runner.tokenize(context, text)) <= runner.num_ctx

    remaining = drop_old_messages(messages, fits) if truncate else messages
    if len(remaining) < len(messages):
        _log.debug("truncating input messages which exceed context length truncated=%d", len(remaining))
    return render(template, Values(remaining, tools))
