"""What a run of the benchmark has reached, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.measured import Memory, Plain, Results, Streams, merge_streams, percentile
from tests.bench.report import BEGIN, END, text, write
from tests.bench.targets import verdicts


def plain(per_s: float) -> Plain:
    return Plain(per_s, 1.0, 2.0, 0, 0.1, 0.1)


def streams(chunks_per_s: float, *delays_ms: float) -> Streams:
    return Streams(chunks_per_s, 0, (1.0,), delays_ms, 0.1, 0.1)


@pytest.fixture
def results() -> Results:
    return Results(rounds=2, seconds=10, quick=False, route="/llm/generate")


@pytest.mark.parametrize(("ours", "hit"), [(1000.0, True), (999.0, False)])
def test_plain_requests_are_to_be_ten_times_litellms(results: Results, ours: float, hit: bool) -> None:
    results.plain[16] = {"daemon": plain(ours), "litellm": plain(100)}
    assert [verdict.hit for verdict in verdicts(results)] == [hit]


@pytest.mark.parametrize(("ours", "hit"), [(2000.0, True), (1999.0, False)])
def test_streams_are_to_be_twenty_times_litellms(results: Results, ours: float, hit: bool) -> None:
    results.at_once[64] = {"daemon": streams(ours), "litellm": streams(100)}
    assert [verdict.hit for verdict in verdicts(results)] == [hit]


def test_the_delay_is_what_is_added_to_the_stubs_own(results: Results) -> None:
    results.paced[16] = {"daemon": streams(1, 0.3, 0.3, 5.0), "stub": streams(1, 0.2, 0.2, 1.0)}
    assert [(verdict.reached, verdict.hit) for verdict in verdicts(results)] == [
        ("0.10 ms", True),
        ("4.00 ms", False),
    ]


def test_memory_is_to_be_small_and_flat(results: Results) -> None:
    results.memory["daemon"] = Memory(100.0, 120.0, 100_000)
    assert [(verdict.reached, verdict.hit) for verdict in verdicts(results)] == [
        ("120 MB", True),
        ("200 bytes", False),
    ]


def test_what_was_not_measured_has_no_verdict(results: Results) -> None:
    results.plain[16] = {"daemon": plain(1000)}
    assert verdicts(results) == []


def test_a_miss_is_reported_as_a_miss(results: Results) -> None:
    results.plain[16] = {"daemon": plain(100), "portkey": plain(200)}
    said = text(results, "2026-01-01")
    assert "| 16 clients: requests/s at least 1 x Portkey | 0.5 x | **miss** |" in said
    assert "| 16 | Portkey | 200 | 1.00 | 2.00 | 0 | 0.50 |" in said


def test_what_is_missing_is_said(results: Results) -> None:
    results.missing["portkey"] = "Portkey needs Node 20 or later"
    assert "Not measured: Portkey: Portkey needs Node 20" in text(results, "2026-01-01")


def test_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, "new\n")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_rounds_are_put_together() -> None:
    merged = merge_streams([streams(10, 1.0), streams(20, 3.0)])
    assert (merged.chunks_per_s, merged.delays_ms) == (15, (1.0, 3.0))


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert (percentile([3.0, 1.0, 2.0], 50), percentile([1.0, 2.0], 99)) == (2.0, 2.0)
