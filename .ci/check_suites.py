"""Hold the reports against the list of suites: each must be there, have run tests, and skipped none.

check_suites.py FOLDER SUITE... [--cases SUITE CASE...]

FOLDER/SUITE.xml -> a line each; exit 1 where one is not as it should be, or where a suite lacks a case that
--cases says it has.
"""

from __future__ import annotations

import argparse
import sys
import xml.etree.ElementTree as ET  # the reports are our own, written a moment ago
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Report:
    """What one suite did."""

    tests: int
    failures: int
    errors: int
    skipped: int
    seconds: float
    cases: frozenset[str] = field(default_factory=frozenset)

    def fault(self, wanted: Collection[str] = ()) -> str:
        """Why it does not count as passed; empty where it does."""
        if missing := sorted(set(wanted) - self.cases):
            return f"lacks {', '.join(missing)}"
        if self.failures or self.errors:
            return "has failures"
        if self.skipped:
            return "skipped tests"
        return "" if self.tests else "ran no test"


def read(path: Path) -> Report | None:
    """One JUnit report; None where it is missing."""
    if not path.is_file():
        return None
    root = ET.parse(path).getroot()  # noqa: S314 - see the import
    suites = list(root.iter("testsuite"))

    def total(name: str) -> int:
        return sum(int(suite.get(name, "0")) for suite in suites)

    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    cases = frozenset(case.get("name", "") for case in root.iter("testcase"))
    return Report(total("tests"), total("failures"), total("errors"), total("skipped"), seconds, cases)


def line(suite: str, report: Report | None, wanted: Collection[str]) -> str:
    """One line of the table."""
    if report is None:
        return f"  {suite:<12} MISSING: no report was written"
    figures = f"{report.tests:>5} tests, {report.skipped} skipped, {report.seconds:.0f} s"
    fault = report.fault(wanted)
    return f"  {suite:<12} {figures}{f': {fault.upper()}' if fault else ''}"


def main(arguments: list[str]) -> int:
    """Print the table; 1 where a suite is missing, ran nothing, failed, skipped or lacks a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("suites", nargs="+")
    parser.add_argument("--cases", nargs="+", default=[""], help="a suite, and the cases that it must have")
    options = parser.parse_args(arguments)
    suite_with_cases, *cases = options.cases
    wanted = {suite: cases if suite == suite_with_cases else [] for suite in options.suites}
    reports = {suite: read(options.folder / f"{suite}.xml") for suite in options.suites}
    sys.stdout.write("Suites:\n")
    sys.stdout.writelines(f"{line(suite, report, wanted[suite])}\n" for suite, report in reports.items())
    sys.stdout.write(f"{closing([report for report in reports.values() if report is not None])}\n")
    bad = [suite for suite, report in reports.items() if report is None or report.fault(wanted[suite])]
    return 1 if bad else 0


def closing(reports: list[Report]) -> str:
    """All suites in one line, as pytest writes it."""
    failed = sum(report.failures + report.errors for report in reports)
    skipped = sum(report.skipped for report in reports)
    passed = sum(report.tests for report in reports) - failed - skipped
    seconds = sum(report.seconds for report in reports)
    return f"===== {failed} failed, {passed} passed, {skipped} skipped in {seconds:.0f}s ====="


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
