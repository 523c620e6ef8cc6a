"""The one error of all sinks."""

from __future__ import annotations


class SinkError(Exception):
    """A message was not delivered. Its text may be shown: it holds no secret."""
