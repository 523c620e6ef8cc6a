"""The daemon's log: one JSON object a line, on standard output.

Owns the format and the level. Never decides what is worth a line.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
import time
from contextlib import nullcontext
from typing import TextIO

import msgspec
from pythonjsonlogger.msgspec import MsgspecFormatter

# What every record has, so that the rest are the fields of this line.
_OF_EVERY_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class _Formatter(MsgspecFormatter):
    """Times as the answers write them: RFC 3339, UTC, milliseconds.

    A record without a traceback is written here, at half the cost; the line is the same.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        names = {"asctime": "timestamp", "levelname": "level", "name": "logger"}
        super().__init__("{asctime}{levelname}{name}{message}", style="{", rename_fields=names)
        self._encode = msgspec.json.Encoder(enc_hook=str).encode

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line."""
        if record.exc_info or record.exc_text or record.stack_info:
            return str(super().format(record))
        line = {
            "timestamp": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _OF_EVERY_RECORD}
        try:
            return self._encode(line).decode()
        except UnicodeEncodeError:  # half a character, which only escapes can write
            return json.dumps(line, default=str)


class _Handler(logging.Handler):
    """Writes each line in one step, without a lock.

    A lock around a write would be held while the writer waits for the
    interpreter, and all other requests for the lock. The kernel keeps lines
    apart; in a pipe only those up to PIPE_BUF bytes, so longer ones take turns.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        stream.flush()
        self._stream = stream  # keeps the descriptor open
        self._descriptor = stream.fileno()
        self._long = threading.Lock()

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record, without the lock that handlers have."""
        if passed := bool(self.filter(record)):
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            data = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            with self._long if len(data) > select.PIPE_BUF else nullcontext():
                while data:
                    data = data[os.write(self._descriptor, data) :]
        except OSError:
            self.handleError(record)


def configure(level: str) -> None:
    """Send every log line to standard output as JSON, from `level` upwards."""
    handler = _Handler(sys.stdout)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    _leave_out_what_no_line_says()
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


def _leave_out_what_no_line_says() -> None:
    """Have no record look up its thread, process and caller [docs.python.org, logging, "Optimization"]."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # the documented way
