"""The daemon's log: one JSON object a line, on standard output.

Owns the format and the level. Never decides what is worth a line.
"""

from __future__ import annotations

import logging
import sys
import time

from pythonjsonlogger.msgspec import MsgspecFormatter


class _Formatter(MsgspecFormatter):
    """Times as the answers write them: RFC 3339, UTC, milliseconds."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


def configure(level: str) -> None:
    """Send every log line to standard output as JSON, from `level` upwards."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        _Formatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "timestamp", "levelname": "level", "name": "logger"},
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    # It tells of every run, and of each that is not due because the last one still runs.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It warns for every request that finds no idle thread, which admission has decided already.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # "Client disconnected while serving" is said by the request's own line.
    logging.getLogger("waitress").setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """Change the level, as a reload does."""
    logging.getLogger().setLevel(level)
