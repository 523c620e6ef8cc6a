"""CI fails where a suite or a scenario of its list is missing, ran nothing, failed or skipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.roles import REPOSITORY
from tests.hosts import report
from tests.hosts.run import Ran

SUITE = '<testsuite tests="{tests}" failures="0" errors="0" skipped="{skipped}" time="1"/>'


def judged(folder: Path) -> tuple[int, str]:
    script = REPOSITORY / ".ci/check_suites.py"
    words = ["unit", "hosts", "--cases", "hosts", "default", "upgrade"]
    done = subprocess.run(
        [sys.executable, script, folder, *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Two suites that passed."""
    (tmp_path / "unit.xml").write_text(SUITE.format(tests=3, skipped=0))
    scenarios(tmp_path, default=True, upgrade=True)
    return tmp_path


def scenarios(folder: Path, **passed: bool) -> None:
    rows = [Ran(name, passed=well, seconds=1.0, log=folder / name) for name, well in passed.items()]
    report.write(folder / "hosts.xml", rows)


def test_whole_reports_pass(reports: Path) -> None:
    assert judged(reports)[0] == 0


def test_a_scenario_that_is_missing_is_named(reports: Path) -> None:
    scenarios(reports, default=True)
    code, said = judged(reports)
    assert code == 1
    assert "LACKS UPGRADE" in said


def test_a_scenario_that_failed_fails(reports: Path) -> None:
    scenarios(reports, default=True, upgrade=False)
    assert judged(reports)[0] == 1


def test_a_suite_without_a_report_is_missing(reports: Path) -> None:
    (reports / "unit.xml").unlink()
    code, said = judged(reports)
    assert code == 1
    assert "MISSING" in said


@pytest.mark.parametrize(("tests", "skipped"), [(0, 0), (3, 1)])
def test_a_suite_that_ran_nothing_or_skipped_fails(reports: Path, tests: int, skipped: int) -> None:
    (reports / "unit.xml").write_text(SUITE.format(tests=tests, skipped=skipped))
    assert judged(reports)[0] == 1
