"""What all scenarios came to: a JUnit report with a case for each, as .ci/check_suites.py reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from tests.hosts.run import Ran


def write(path: Path, rows: Sequence[Ran]) -> None:
    """Write the report."""
    failed = [row for row in rows if not row.passed]
    seconds = f"{sum(row.seconds for row in rows):.1f}"
    figures = {"tests": str(len(rows)), "failures": str(len(failed)), "errors": "0", "skipped": "0"}
    suite = ET.Element("testsuite", {"name": "hosts", "time": seconds, **figures})
    for row in rows:
        case = ET.SubElement(suite, "testcase", classname="hosts", name=row.name, time=f"{row.seconds:.1f}")
        if not row.passed:
            ET.SubElement(case, "failure", message=f"see {row.log}")
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
