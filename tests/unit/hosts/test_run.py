"""What is told of a scenario that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.run import Ran


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            ["a", "the reason", "ERROR [x > verify] Executed: Failed", "cleaning"],
            ["the reason", "ERROR [x > verify] Executed: Failed"],
        ),
        (["a", "b", "timed out"], ["b", "timed out"]),
    ],
)
def test_the_end_of_a_failed_step_is_told_not_the_cleaning_after_it(
    tmp_path: Path, said: list[str], told: list[str]
) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(said))
    assert Ran("x", passed=False, seconds=1.0, log=log).tail(lines=2).splitlines() == told
