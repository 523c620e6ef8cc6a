"""Measures the router's language detector: `python -m tests.language`.

    each candidate that is installed -> a process of its own -> one line of a table

The daemon's own library stands first. The others are measured where they are
installed (in an environment for that purpose; the daemon needs none of them).
`--wrong` lists the prompts that the daemon's own library takes for something else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.language.candidates import CANDIDATES
from tests.language.measure import LONG_CHARS, Measured, is_installed, measure
from tests.language.score import Verdict

HEAD = (
    "library", "version", "right", "short", "wrong", "pt right", "es as pt", "any as pt",
    "foreign as none", "MB", "µs a call", f"µs, {LONG_CHARS:,} characters", "MB on disk",
)  # fmt: skip


def main() -> int:
    """Measure, print, and give the exit code: 1 where the daemon's own library is not installed."""
    installed = [name for name, candidate in CANDIDATES.items() if is_installed(candidate)]
    own = next(iter(CANDIDATES))
    if own not in installed:
        _say(f"{own} is not installed: run make venv")
        return 1
    if _options().wrong:
        for verdict in _apart(own).score.verdicts:
            _tell(verdict)
        return 0
    _say(_row(HEAD))
    _say(_row(["---"] * len(HEAD)))
    for name in installed:
        _say(_row(_cells(name, _apart(name))))
    missing = [name for name in CANDIDATES if name not in installed]
    if missing:
        _say(f"\nNot installed, so not measured: {'; '.join(missing)}.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.language", description=__doc__)
    parser.add_argument("--wrong", action="store_true", help="list what the daemon's own gets wrong, and end")
    return parser.parse_args()


def _apart(name: str) -> Measured:
    """Measure in a fresh process, so that nothing of another library is in its memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, name).result()


def _cells(name: str, measured: Measured) -> list[str]:
    score = measured.score
    alone, foreign = score.foreign_left_alone()
    return [
        name,
        measured.version,
        f"{score.right():.1%}",
        f"{score.right(kind='short'):.1%}",
        str(score.wrong()),
        f"{score.right(language='pt'):.1%}",
        str(score.taken("es", "pt")),
        str(score.taken_for_portuguese()),
        f"{alone} of {foreign}",
        f"{measured.memory / 1e6:.1f}",
        f"{measured.call_s * 1e6:.0f}",
        f"{measured.long_call_s * 1e6:.0f}",
        f"{measured.installed / 1e6:.1f}",
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _tell(verdict: Verdict) -> None:
    if verdict.right:
        return
    prompt = verdict.prompt
    text = " ".join(prompt.text.split())[:80]
    _say(f"{prompt.written_in} {prompt.kind} taken for {verdict.said or 'none'}: {text}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
