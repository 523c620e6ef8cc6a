"""The baselines, kept for the next start of the daemon.

Owns the file. What it holds is `baseline.py`'s; a file that is missing or broken means that nothing is known.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)


class BaselineFile:
    """One small JSON file beside the history."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, baselines: dict[str, object]) -> None:
        """Write it as a whole; a disk that refuses is said, and costs the next start its baselines."""
        try:
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(baselines))
            new.replace(self._path)
        except OSError as error:
            log.warning("the baselines were not kept for the next start: %s", error)

    def load(self) -> object:
        """Give what was saved; an empty object where nothing can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the baselines of the last run cannot be read: %s", error)
            return {}
