"""Hold pytest's reports against the list of suites: each must be there, have run tests, and skipped none.

check_suites.py FOLDER SUITE...:  FOLDER/SUITE.xml -> a line each; exit 1 where one is not as it should be
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET  # the reports are pytest's own, written a moment ago
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Report:
    """What one suite did."""

    tests: int
    failures: int
    errors: int
    skipped: int
    seconds: float

    @property
    def fault(self) -> str:
        """Why it does not count as passed; empty where it does."""
        if self.failures or self.errors:
            return "has failures"
        if self.skipped:
            return "skipped tests"
        return "" if self.tests else "ran no test"


def read(path: Path) -> Report | None:
    """One JUnit report; None where it is missing."""
    if not path.is_file():
        return None
    suites = list(ET.parse(path).getroot().iter("testsuite"))  # noqa: S314 - see the import

    def total(name: str) -> int:
        return sum(int(suite.get(name, "0")) for suite in suites)

    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    return Report(total("tests"), total("failures"), total("errors"), total("skipped"), seconds)


def line(suite: str, report: Report | None) -> str:
    """One line of the table."""
    if report is None:
        return f"  {suite:<12} MISSING: no report was written"
    figures = f"{report.tests:>5} tests, {report.skipped} skipped, {report.seconds:.0f} s"
    return f"  {suite:<12} {figures}{f': {report.fault.upper()}' if report.fault else ''}"


def main(folder: str, *suites: str) -> int:
    """Print the table; 1 where a suite is missing, ran nothing, failed or skipped."""
    reports = {suite: read(Path(folder) / f"{suite}.xml") for suite in suites}
    sys.stdout.write("Suites:\n")
    sys.stdout.writelines(f"{line(suite, report)}\n" for suite, report in reports.items())
    sys.stdout.write(f"{closing([report for report in reports.values() if report is not None])}\n")
    return 1 if any(report is None or report.fault for report in reports.values()) else 0


def closing(reports: list[Report]) -> str:
    """All suites in one line, as pytest writes it."""
    failed = sum(report.failures + report.errors for report in reports)
    skipped = sum(report.skipped for report in reports)
    passed = sum(report.tests for report in reports) - failed - skipped
    seconds = sum(report.seconds for report in reports)
    return f"===== {failed} failed, {passed} passed, {skipped} skipped in {seconds:.0f}s ====="


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
