"""What a run was like, in a table and three lists.

Owns how it reads. Pure: Locust's figures and the ledger in, lines out.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.load.ledger import Ledger

_COLUMNS = ("Request Count", "50%", "95%", "99%", "Max Response Time", "Requests/s")


def lines(stats: Path, ledger: Ledger) -> Iterator[str]:
    """Give the report; times in milliseconds.

    A stream's `POST` is the time to its first piece, its `WHOLE` that to its end.
    """
    yield f"{'':<44}{'requests':>9}{'p50':>8}{'p95':>8}{'p99':>8}{'most':>8}{'/s':>7}"
    with stats.open(newline="") as file:
        for row in csv.DictReader(file):
            figures = [float(row[name]) if row[name] not in ("", "N/A") else 0.0 for name in _COLUMNS]
            name = f"{row['Type']} {row['Name']}".strip()
            count, *times, rate = figures
            yield f"{name:<44}{count:>9.0f}" + "".join(f"{each:>8.0f}" for each in times) + f"{rate:>7.1f}"
    yield from _part("Refused for a key's limits, as they should be", ledger.limited)
    yield from _part("Answered or refused, as was meant", ledger.meant)
    yield from _part("NOT AS WAS MEANT", ledger.unexpected)


def _part(title: str, counts: Counter[str]) -> Iterator[str]:
    yield ""
    yield f"{title}: {counts.total()}"
    for name, count in sorted(counts.items()):
        yield f"    {count:>7}  {name}"
