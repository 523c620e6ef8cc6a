"""The curve of a day, and what becomes of what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.load.day import callers, share
from tests.load.ledger import Ledger
from tests.load.mix import MIX, Kind
from tests.load.report import lines


@pytest.mark.parametrize(("hour", "expected"), [(0, 0.1), (11, 1.0), (7.5, 0.475), (24, 0.1)])
def test_the_share_of_callers_is_on_the_curve(hour: float, expected: float) -> None:
    assert share(hour) == pytest.approx(expected)


def test_there_is_always_a_caller_and_never_more_than_the_most() -> None:
    counts = [callers(20, 60, second) for second in range(70)]
    assert (min(counts), max(counts)) == (2, 20)
    assert callers(1, 60, 0) == 1


@pytest.mark.parametrize("kind", [kind for kind in MIX if kind.status == 200 and kind.method == "POST"])
def test_what_is_to_be_answered_is_json(kind: Kind) -> None:
    assert json.loads(kind.body(Random(1)))


def test_an_answer_is_meant_limited_or_unexpected(tmp_path: Path) -> None:
    ledger = Ledger()
    assert ledger.note("a", 400, "INVALID_REQUEST", 400)
    assert ledger.note("a", 429, "RATE_LIMITED", 200)
    assert not ledger.note("a", 500, "INTERNAL_ERROR", 200)
    assert not ledger.note("a", 200, "", 400)
    ledger.save(tmp_path / "ledger")
    assert Ledger.load(tmp_path / "ledger") == ledger


def test_the_report_has_every_row_and_what_was_not_meant(tmp_path: Path) -> None:
    head = "Type,Name,Request Count,50%,95%,99%,Max Response Time,Requests/s"
    (tmp_path / "stats.csv").write_text(f"{head}\nPOST,short,3,1,2,3,4,0.5\n,Aggregated,3,N/A,2,3,4,0.5\n")
    ledger = Ledger()
    ledger.note_broken("short", "no answer")
    text = "\n".join(lines(tmp_path / "stats.csv", ledger))
    assert "POST short" in text
    assert "NOT AS WAS MEANT: 1\n          1  short: no answer" in text
