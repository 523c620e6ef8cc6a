"""`python -m tests.bench`, or `make bench`: measure the daemon beside its peers in one run.

    start everything -> row after row, peers in turn and back -> print -> docs/performance.md

A run of everything is written into the page; a part of it, or a quick one, is only printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.bench import environments, memory, plain, report, streams
from tests.bench.environments import MissingError
from tests.bench.measured import Results, merge_plain, merge_streams
from tests.bench.peers import PEERS, Peer, bare_stub

PAGE = environments.ROOT / "docs" / "performance.md"
PARTS = ("plain", "streams", "memory")
OTHERS = tuple(name for name in PEERS if name != "daemon")
CLIENTS = (1, 16, 64)
STREAMS = (16, 64)
SECONDS, QUICK_SECONDS = 10.0, 3.0
# 100,000 requests take LiteLLM a quarter of an hour; the row says how many they were.
MEMORY_LIMIT_S, QUICK_MEMORY_LIMIT_S = 300.0, 10.0

T = TypeVar("T")


def main() -> int:
    """Measure; 2 where the load client or the compiler is missing."""
    options = _options()
    try:
        environments.tool("wrk", "wrk")
        environments.stub()
    except MissingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="ia0-bench-") as folder, ExitStack() as stack:
        run = _Run(options, stack, Path(folder))
        run.measure()
    said = report.text(run.results, f"{datetime.now(UTC):%Y-%m-%d}")
    _say(said)
    if options.write or (not options.quick and set(options.part) == set(PARTS) and len(run.peers) == 5):
        report.write(PAGE, said)
        _say(f"written: {PAGE.relative_to(environments.ROOT)}")
    return 0


class _Run:
    """One run: the peers that are there, and what was measured of them."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack, folder: Path) -> None:
        self._options = options
        self.stub = stack.enter_context(bare_stub(folder))
        self.results = Results(options.rounds, options.seconds, options.quick, "")
        self.peers = {peer.name: peer for peer in self._started(stack, folder)}
        self.results.route = self.peers["daemon"].path

    def _started(self, stack: ExitStack, folder: Path) -> list[Peer]:
        """Start one after another, so that no start is in another's way."""
        peers = []
        for name in ("daemon", *self._options.peers):
            try:
                peer = stack.enter_context(PEERS[name](folder, self.stub))
            except MissingError as error:
                _say(f"without {name}: {error}")
                self.results.missing[name] = str(error)
                continue
            _say(f"{peer.label} {peer.version} answers after {peer.start_s:.1f} s")
            self.results.versions[name] = peer.version
            self.results.start_s[name] = peer.start_s
            peers.append(peer)
        return [*peers, self.stub]

    def measure(self) -> None:
        """Measure the parts that are asked for."""
        if "plain" in self._options.part:
            self._measure_plain()
        if "streams" in self._options.part:
            self._measure_streams()
        if "memory" in self._options.part:
            self._measure_memory()

    def _measure_plain(self) -> None:
        for clients in CLIENTS:
            rows = self._in_turn(
                f"{clients} clients",
                partial(plain.measure, stub=self.stub, clients=clients, seconds=self._options.seconds),
            )
            self.results.plain[clients] = {name: merge_plain(row) for name, row in rows.items()}

    def _measure_streams(self) -> None:
        for paced, into in ((False, self.results.at_once), (True, self.results.paced)):
            for count in STREAMS:
                rows = self._in_turn(
                    f"{count} streams {'of 20 ms chunks' if paced else 'at once'}",
                    partial(
                        streams.measure,
                        stub=self.stub,
                        streams=count,
                        seconds=self._options.seconds,
                        paced=paced,
                    ),
                )
                into[count] = {name: merge_streams(row) for name, row in rows.items()}

    def _measure_memory(self) -> None:
        for name, peer in self.peers.items():
            if name != "stub":
                self.results.memory[name] = memory.measure(
                    peer, self._options.requests, self._options.memory_limit
                )
                _say(f"memory, {peer.label}: {self.results.memory[name]}")

    def _in_turn(self, what: str, measure: Callable[[Peer], T]) -> Mapping[str, list[T]]:
        """Measure all peers in turn, then back: A B C, C B A."""
        rows: dict[str, list[T]] = {name: [] for name in self.peers}
        order = list(self.peers.values())
        for number in range(self._options.rounds):
            for peer in order if number % 2 == 0 else reversed(order):
                rows[peer.name].append(measure(peer))
                _say(f"{what}, round {number + 1}, {peer.label}: {rows[peer.name][-1]}")
        return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--peers", nargs="*", choices=OTHERS, default=OTHERS, help="beside the daemon")
    parser.add_argument("--rounds", type=int, default=2, help="how often each row is measured")
    parser.add_argument("--seconds", type=float, help=f"of each row and round (default {SECONDS:g})")
    parser.add_argument(
        "--requests", type=int, default=memory.REQUESTS, help="between two looks at the memory"
    )
    parser.add_argument("--memory-limit", type=float, help="seconds that these may take a peer")
    parser.add_argument("--quick", action="store_true", help="short rows, to see that all works")
    parser.add_argument("--write", action="store_true", help="write the page whatever was measured")
    options = parser.parse_args()
    quick = options.quick
    options.seconds = options.seconds or (QUICK_SECONDS if quick else SECONDS)
    options.memory_limit = options.memory_limit or (QUICK_MEMORY_LIMIT_S if quick else MEMORY_LIMIT_S)
    return options


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
