"""What a run says: tables in Markdown, printed, and put into `docs/performance.md` between two marks.

Pure but for `write`. The rest of that page is written by hand and stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.measured import Plain, Results, Streams, percentile
from tests.bench.targets import verdicts

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
LABELS = {
    "daemon": "**IA-0**",
    "litellm": "LiteLLM",
    "portkey": "Portkey",
    "haproxy": "HAProxy",
    "stub": "the stub alone",
}


def text(results: Results, date: str) -> str:
    """Give everything that a run has to say."""
    parts = [
        _about(results, date),
        *_titled("Targets", _targets(results)),
        *_titled("One object: requests/s and latency", _plain(results.plain)),
        *_titled("Streams, 30 chunks at once", _at_once(results.at_once)),
        *_titled("Streams, 30 chunks of 20 ms", _paced(results.paced)),
        *_titled("Memory and start", _memory(results)),
        _busy(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write(page: Path, measured: str) -> None:
    """Put it between the marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{measured}{END}{after}", encoding="utf-8")


def _about(results: Results, date: str) -> str:
    versions = ", ".join(f"{LABELS[name].strip('*')} {version}" for name, version in results.versions.items())
    lines = [
        f"Measured on {date} on {os.cpu_count()} cores, which load client, stub and what is measured share; "
        f"{results.rounds} rounds of {results.seconds:g} s a row"
        f"{' (a quick run: too short to quote)' if results.quick else ''}. {versions}. "
        f"The daemon's route: `POST {results.route}`.",
        *(f"Not measured: {LABELS.get(name, name)}: {why}." for name, why in results.missing.items()),
    ]
    return "\n\n".join(lines)


def _titled(title: str, table: str) -> Sequence[str]:
    return (f"### {title}", table) if table else ()


def _targets(results: Results) -> str:
    rows = [(each.target, each.reached, "hit" if each.hit else "**miss**") for each in verdicts(results)]
    return _table(("target", "reached", ""), rows)


def _plain(rows: Mapping[int, Mapping[str, Plain]]) -> str:
    names = ("clients", "", "requests/s", "p50 ms", "p99 ms", "errors", "IA-0 / it")
    return _table(names, _plain_rows(rows))


def _plain_rows(rows: Mapping[int, Mapping[str, Plain]]) -> Iterator[tuple[str, ...]]:
    for clients, row in sorted(rows.items()):
        for name in _ordered(row):
            it = row[name]
            ratio = _ratio({peer: each.per_s for peer, each in row.items()}, name)
            figures = (f"{it.per_s:,.0f}", _ms(it.p50_ms), _ms(it.p99_ms), str(it.errors), ratio)
            yield str(clients), LABELS[name], *figures


def _at_once(rows: Mapping[int, Mapping[str, Streams]]) -> str:
    names = ("streams", "", "chunks/s", "first chunk p50 ms", "p99 ms", "errors", "IA-0 / it")
    return _table(names, _stream_rows(rows))


def _stream_rows(rows: Mapping[int, Mapping[str, Streams]]) -> Iterator[tuple[str, ...]]:
    for streams, row in sorted(rows.items()):
        for name in _ordered(row):
            it = row[name]
            ratio = _ratio({peer: each.chunks_per_s for peer, each in row.items()}, name)
            figures = (f"{it.chunks_per_s:,.0f}", *_both(it.first_ms), str(it.errors), ratio)
            yield str(streams), LABELS[name], *figures


def _paced(rows: Mapping[int, Mapping[str, Streams]]) -> str:
    names = (
        "streams", "", "chunks/s", "first chunk p50 ms", "p99 ms",
        "age of a chunk p50 ms", "p99 ms", "added p50 ms", "p99 ms", "errors",
    )  # fmt: skip
    return _table(names, _paced_rows(rows))


def _paced_rows(rows: Mapping[int, Mapping[str, Streams]]) -> Iterator[tuple[str, ...]]:
    for streams, row in sorted(rows.items()):
        for name in _ordered(row):
            it = row[name]
            yield (
                str(streams),
                LABELS[name],
                f"{it.chunks_per_s:,.0f}",
                *_both(it.first_ms),
                *_both(it.delays_ms),
                *(_added(row, name, percent) for percent in (50, 99)),
                str(it.errors),
            )


def _added(row: Mapping[str, Streams], name: str, percent: int) -> str:
    if name == "stub" or "stub" not in row or not row[name].delays_ms:
        return "-"
    return _ms(percentile(row[name].delays_ms, percent) - percentile(row["stub"].delays_ms, percent))


def _memory(results: Results) -> str:
    names = ("", "start s", "resident before MB", "after MB", "requests between")
    rows = []
    for name in _ordered({**results.start_s, **results.memory}):
        memory, start = results.memory.get(name), results.start_s.get(name)
        figures = (
            (f"{memory.before_mb:.0f}", f"{memory.after_mb:.0f}", f"{memory.requests:,}")
            if memory
            else ("-", "-", "-")
        )
        rows.append((LABELS[name], "-" if start is None else f"{start:.1f}", *figures))
    return _table(names, rows)


def _busy(results: Results) -> str:
    """Say how far the load clients and the stub were from being what was measured."""
    rows: list[Mapping[str, Plain | Streams]] = [*results.plain.values()]
    rows += [*results.at_once.values(), *results.paced.values()]
    proxies = [it for row in rows for name, it in row.items() if name not in ("stub", "haproxy")]
    if not proxies:
        return ""
    client = max(it.client_cores for it in proxies)
    stub = max(it.stub_cores for it in proxies)
    return (
        f"Behind IA-0, LiteLLM and Portkey the load client was busy for at most {client:.2f} of a core, "
        f"the stub for {stub:.2f}."
    )


def _ordered(row: Mapping[str, object]) -> list[str]:
    return [name for name in LABELS if name in row]


def _ratio(figures: Mapping[str, float], name: str) -> str:
    if name == "daemon" or "daemon" not in figures or figures[name] <= 0:
        return ""
    return f"{figures['daemon'] / figures[name]:.2f}"


def _both(values: Sequence[float]) -> tuple[str, str]:
    return _ms(percentile(values, 50)), _ms(percentile(values, 99))


def _ms(value: float) -> str:
    return "-" if value != value else f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(names)} |", "|" + " --- |" * len(names), *lines])
