"""An operator's drain: what it is, and that it outlives the daemon.

    ia0 drain -> Drain -> file -> (the daemon is restarted, and finds it) -> ia0 undrain -> no file

Owns the file and the drain's words. The gate's part is `gate.py`'s, and what the
supervisor leaves alone meanwhile is the supervisor's.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from ia0_daemon.clock import timestamp

log = logging.getLogger(__name__)


class Drain(msgspec.Struct, frozen=True):
    """A host that an operator has taken out of service."""

    hold: bool
    """Whether new requests wait until it is over; else they are refused."""
    since: str
    reason: str = ""
    loaded: tuple[str, ...] = ()
    """The tags of the models that were loaded then."""

    @classmethod
    def now(cls, *, hold: bool, reason: str, loaded: list[str]) -> Drain:
        """A drain that begins now."""
        return cls(hold=hold, since=timestamp(), reason=reason, loaded=tuple(loaded))

    def told(self) -> dict[str, object]:
        """Give what status and health tell of it."""
        return {"mode": "hold" if self.hold else "refuse", "since": self.since, "reason": self.reason}

    def sentence(self) -> str:
        """Say it to callers and in logs."""
        why = f" ({self.reason})" if self.reason else ""
        return f"the operator drains this host{why}"


class DrainFile:
    """One small JSON file beside the history."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, drain: Drain | None) -> None:
        """Write it as a whole, or take it away. Raises OSError: a drain that would be forgotten is none."""
        if drain is None:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(drain))
        new.replace(self._path)

    def find(self) -> Drain | None:
        """Give the drain that stood when the daemon ended; a file that cannot be read still means one."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Drain)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read, so the host stays drained: %s", self._path, error)
            return Drain(hold=False, since="", reason=f"{self._path} cannot be read")
