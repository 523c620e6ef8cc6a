"""The time of day as answers and log lines write it."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp() -> str:
    """Give the time now as RFC 3339 in UTC with milliseconds."""
    return rfc3339(datetime.now(UTC))


def rfc3339(moment: datetime) -> str:
    """Write a moment in UTC; texts of this form sort as the moments do."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
