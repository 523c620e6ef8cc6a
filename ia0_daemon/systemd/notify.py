"""What the daemon tells systemd about itself: sd_notify(3).

    Notifier.from_environment(environ) -> ready(), reloading(), stopping(), status(text), alive()

Owns the datagrams and the variables. Without NOTIFY_SOCKET nothing is sent at
all; an error while sending is logged and no more, since the daemon serves
whether or not anybody listens.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import MutableMapping

log = logging.getLogger(__name__)

_MICRO = 1_000_000
# systemd advises to notify at half of the time; a third leaves room for one that is lost.
_SHARE = 3


class Notifier:
    """One way to systemd, safe to use from many threads."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = address
        self.watchdog_s = watchdog_s
        """Without a sign of life for so long systemd kills the daemon; 0: it does not watch."""
        self._status = ""
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Read the variables and take them away: programs that the daemon runs must not speak for it."""
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_ours = not pid or pid == str(os.getpid())
        return cls(address, int(usec) / _MICRO if address and is_ours and usec.isdigit() else 0.0)

    @property
    def alive_interval_s(self) -> float:
        """How often `alive` is wanted; infinite where nobody watches."""
        return self.watchdog_s / _SHARE if self.watchdog_s else float("inf")

    def ready(self, status: str) -> None:
        """Say that it serves; also that a reload is done."""
        self._send(READY="1", STATUS=self._new(status))

    def reloading(self) -> None:
        """Say that the configuration is read again; `ready` must follow, also where it is refused."""
        self._send(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

    def stopping(self, status: str) -> None:
        """Say that it ends."""
        self._send(STOPPING="1", STATUS=self._new(status))

    def status(self, text: str) -> None:
        """Tell people who look at `systemctl status` something new; the same twice is sent once."""
        with self._lock:
            if text == self._status:
                return
        self._send(STATUS=self._new(text))

    def alive(self) -> None:
        """Give the watchdog its sign of life, where there is one."""
        if self.watchdog_s:
            self._send(WATCHDOG="1")

    def more_time(self, seconds: float) -> None:
        """Ask that the stop be waited for so much longer, counted from now."""
        self._send(EXTEND_TIMEOUT_USEC=str(int(seconds * _MICRO)))

    def _new(self, status: str) -> str:
        with self._lock:
            self._status = status
        return status

    def _send(self, **fields: str) -> None:
        if not self._address:
            return
        text = "\n".join(f"{name}={' '.join(value.split())}" for name, value in fields.items())
        # An @ stands for the NUL byte of the abstract namespace.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(1.0)
                sock.sendto(text.encode(), address)
        except OSError as error:
            log.warning("systemd cannot be told: %s", error, extra={"event": "notify_failed"})
