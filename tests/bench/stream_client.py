"""The callers of the stream rows, a process of its own: one thread, raw sockets, no parser.

    {"port", "head", "body", "streams", "seconds", "warm_up_s", "timed"} on standard input -> figures as JSON

It counts the stub's stamps, which every peer hands on as text, and takes each
one's age when it arrives. `timed` rows take the ages; the others only count,
since the fastest peers would else wait for this client.
"""

from __future__ import annotations

import json
import re
import resource
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

from tests.bench.peers import connect

STAMP = re.compile(rb"@(\d{18})")
STAMP_BYTES = 19
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
END = b"\r\n0\r\n\r\n"
READ_BYTES = 64 * 1024
# A paced stream of 30 chunks takes this long; their starts are spread over it, in seconds.
STREAM_S = 0.6


@dataclass
class Tally:
    """What was seen since the warm-up."""

    chunks: int = 0
    errors: int = 0
    first_ms: list[float] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)


class Caller:
    """One connection that asks for one stream after another."""

    def __init__(self, port: int, request: tuple[bytes, bytes], number: int, timed: bool) -> None:
        self._port, self._request, self._timed = port, request, timed
        self._number, self._count = number, 0
        self.sock = connect(port)
        self._begin()

    def _begin(self) -> None:
        self._rest = b""
        self._headless, self._closes = True, False
        self._waits = True

    def ask(self) -> None:
        """Ask for the next stream; each prompt is another one."""
        self._count += 1
        head, body = self._request
        whole = body.replace(b"NUMBER", b"%04d%010d" % (self._number, self._count))
        self._asked = time.monotonic_ns()
        self.sock.sendall(head % len(whole) + whole)

    def read(self, tally: Tally) -> bool:
        """Take what is there. Gives false where the connection is of no use any more."""
        data = self.sock.recv(READ_BYTES)
        now = time.monotonic_ns()
        if not data or (self._headless and not data.startswith(b"HTTP/1.1 200")):
            tally.errors += 1
            time.sleep(0.01)  # a peer that refuses everything must not be asked in a busy loop
            return False
        if self._headless:
            self._headless = False
            self._closes = CLOSE.search(data.partition(b"\r\n\r\n")[0]) is not None
        data = self._rest + data
        self._count_chunks(data, now, tally)
        if not data.endswith(END):
            return True
        if self._closes:
            return False
        self._begin()
        self.ask()
        return True

    def _count_chunks(self, data: bytes, now: int, tally: Tally) -> None:
        last = data.rfind(b"@")
        broken = last >= 0 and last > len(data) - STAMP_BYTES
        if self._timed:
            stamps = STAMP.findall(data)
            tally.delays_ms.extend((now - int(stamp)) / 1e6 for stamp in stamps)
            found = len(stamps)
        else:
            found = data.count(b"@") - broken
        tally.chunks += found
        if found and self._waits:
            self._waits = False
            tally.first_ms.append((now - self._asked) / 1e6)
        # What may be the beginning of a stamp, or of the end.
        self._rest = data[last:] if broken else data[max(last + 1, len(data) - len(END) + 1) :]

    def renew(self) -> None:
        """Ask for the next stream on a new connection, as a client does whose peer closes the old one."""
        self.sock.close()
        self.sock = connect(self._port)
        self._begin()


def main() -> None:
    """Run one row."""
    job = json.load(sys.stdin)
    request = (job["head"].encode(), job["body"].encode())
    with selectors.DefaultSelector() as selector:
        for number in range(job["streams"]):
            caller = Caller(job["port"], request, number, job["timed"])
            selector.register(caller.sock, selectors.EVENT_READ, caller)
            caller.ask()
            time.sleep(STREAM_S / job["streams"])
        _turn(selector, Tally(), job["warm_up_s"])
        tally, began, used = Tally(), time.monotonic(), _cpu()
        _turn(selector, tally, job["seconds"])
        took = time.monotonic() - began
        json.dump({**tally.__dict__, "seconds": took, "cores": (_cpu() - used) / took}, sys.stdout)
        for key in list(selector.get_map().values()):
            key.data.sock.close()


def _turn(selector: selectors.BaseSelector, tally: Tally, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            _read(selector, key.fileobj, key.data, tally)


def _read(selector: selectors.BaseSelector, sock: object, caller: Caller, tally: Tally) -> None:
    try:
        going_on = caller.read(tally)
    except ConnectionError:
        tally.errors += 1
        going_on = False
    if not going_on:
        assert isinstance(sock, socket.socket)
        selector.unregister(sock)
        caller.renew()
        selector.register(caller.sock, selectors.EVENT_READ, caller)
        caller.ask()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
