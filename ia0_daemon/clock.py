"""The time of day as answers and log lines write it."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp() -> str:
    """Give the time now as RFC 3339 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
