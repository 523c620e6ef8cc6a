"""What is to be reached [issue 5, "It is done when"], and whether a run has reached it.

Pure: results in, verdicts out. What was not measured has no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.measured import Results, percentile

LITELLM_PLAIN_TIMES = 10
LITELLM_STREAMED_TIMES = 20
PORTKEY_PLAIN_TIMES = 1
ADDED_P50_MS = 0.2
ADDED_P99_MS = 2.0
RESIDENT_MB = 150
# Of one request, over all of them; `make soak` holds the same.
GROWTH_BYTES = 50


@dataclass(frozen=True)
class Verdict:
    """One target: what it says, what was reached, and whether that is enough."""

    target: str
    reached: str
    hit: bool


def verdicts(results: Results) -> list[Verdict]:
    """Judge a run."""
    return [*_plain(results), *_streamed(results), *_added(results), *_memory(results)]


def _plain(results: Results) -> Iterator[Verdict]:
    for clients in (16, 64):
        row = results.plain.get(clients, {})
        for peer, label, least in (
            ("litellm", "LiteLLM", LITELLM_PLAIN_TIMES),
            ("portkey", "Portkey", PORTKEY_PLAIN_TIMES),
        ):
            if "daemon" in row and peer in row:
                yield _times(
                    f"{clients} clients: requests/s at least {least} x {label}",
                    row["daemon"].per_s,
                    row[peer].per_s,
                    least,
                )


def _streamed(results: Results) -> Iterator[Verdict]:
    for streams, row in sorted(results.at_once.items()):
        if "daemon" in row and "litellm" in row:
            yield _times(
                f"{streams} streams: chunks/s at least {LITELLM_STREAMED_TIMES} x LiteLLM",
                row["daemon"].chunks_per_s,
                row["litellm"].chunks_per_s,
                LITELLM_STREAMED_TIMES,
            )


def _times(target: str, ours: float, theirs: float, least: float) -> Verdict:
    if theirs <= 0:
        return Verdict(target, "the other answered nothing", ours > 0)
    return Verdict(target, f"{ours / theirs:.1f} x", ours / theirs >= least)


def _added(results: Results) -> Iterator[Verdict]:
    row = results.paced.get(16, {})
    if "daemon" in row and "stub" in row:
        for percent, most in ((50, ADDED_P50_MS), (99, ADDED_P99_MS)):
            added = percentile(row["daemon"].delays_ms, percent) - percentile(row["stub"].delays_ms, percent)
            target = f"16 streams at 20 ms: added delay a chunk, p{percent} under {most:g} ms"
            yield Verdict(target, f"{added:.2f} ms", added < most)


def _memory(results: Results) -> Iterator[Verdict]:
    memory = results.memory.get("daemon")
    if memory is not None and memory.requests:
        growth = (memory.after_mb - memory.before_mb) * 1e6 / memory.requests
        target = f"resident at most {RESIDENT_MB} MB after {memory.requests:,} requests"
        yield Verdict(target, f"{memory.after_mb:.0f} MB", memory.after_mb <= RESIDENT_MB)
        flat = f"flat: growth a request under {GROWTH_BYTES} bytes"
        yield Verdict(flat, f"{growth:.0f} bytes", growth < GROWTH_BYTES)
