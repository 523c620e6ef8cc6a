"""`python -m tests.bench.prompts`: what the care of prompts saves, by the engine's own `prompt_eval` figures.

    real engine -> a daemon without care, one with it -> the same requests -> tokens read, time to read them

Two things are measured: a text that all requests share, once behind what differs
(as applications write it) and once before it (`models.*.system`); and prompts full of
white space, as they are and normalized.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess

RULES = " ".join(f"Rule {number}: be kind to guest number {number}." for number in range(1, 121))
GUESTS = tuple(f"The guest is called {name}." for name in ("Ana", "Bruno", "Carla", "Davi", "Elisa", "Fred"))
QUESTION = "What is for breakfast?"
WIDE = "\n\n\n".join(f"  Item   {number}:\t\t  {number * 7}    pieces   " for number in range(1, 61))
ONE_TOKEN = {"max_tokens": 1}
# The engine's slots each keep what they have read; one slot makes the order of requests that of reading.
ENGINE = {"OLLAMA_NUM_PARALLEL": "1", "OLLAMA_CONTEXT_LENGTH": "8192"}
Figures = tuple[float, float]


def main() -> int:
    """Measure and print; gives the exit code."""
    with tempfile.TemporaryDirectory(prefix="ia0-prompts-") as scratch:
        folder = Path(scratch)
        with EngineProcess(_made(folder / "engine"), env=ENGINE) as engine:
            rows = {
                "shared text behind what differs": _shared(folder / "1", engine.url, is_first=False),
                "shared text first (models.*.system)": _shared(folder / "2", engine.url, is_first=True),
                "white space as it is": _wide(folder / "3", engine.url, is_normalized=False),
                "white space normalized": _wide(folder / "4", engine.url, is_normalized=True),
            }
    sys.stdout.write(f"{'':38} {'prompt tokens':>14} {'prompt_eval ms':>15}\n")
    for name, (tokens, milliseconds) in rows.items():
        sys.stdout.write(f"{name:38} {tokens:14.0f} {milliseconds:15.1f}\n")
    return 0


def _shared(folder: Path, engine: str, *, is_first: bool) -> Figures:
    """Ask for six guests behind the same rules; the first request warms the engine and is left out."""
    care = {"system": RULES} if is_first else {}
    with _daemon(folder, engine, care) as daemon:
        systems = [guest if is_first else f"{guest} {RULES}" for guest in GUESTS]
        return _median([_ask(daemon, QUESTION, system) for system in systems][1:])


def _wide(folder: Path, engine: str, *, is_normalized: bool) -> Figures:
    """Ask about six lists that differ from their first word on, so that nothing is known of them."""
    with _daemon(folder, engine, {"normalize_whitespace": is_normalized}) as daemon:
        return _median([_ask(daemon, f"List {number}.\n{WIDE}", "") for number in range(6)][1:])


@contextmanager
def _daemon(folder: Path, engine: str, care: Mapping[str, object]) -> Iterator[DaemonProcess]:
    model: dict[str, object] = {"num_ctx": 8192, **care}
    with DaemonProcess(_made(folder), engine, {"models.small": model}) as running:
        yield running


def _ask(daemon: DaemonProcess, prompt: str, system: str) -> Figures:
    body = {"prompt": prompt, "params": ONE_TOKEN} | ({"system": system} if system else {})
    answer = requests.post(f"{daemon.url}/llm/generate", json=body, timeout=120)
    answer.raise_for_status()
    line = daemon.wait_for_log(event="request", request_id=answer.json()["request_id"])
    return float(line["prompt_tokens"]), float(line["prompt_eval_ms"])


def _median(figures: list[Figures]) -> Figures:
    tokens, milliseconds = zip(*figures, strict=True)
    return statistics.median(tokens), statistics.median(milliseconds)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
