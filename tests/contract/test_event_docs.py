"""Every kind of event, every alert and every metric of theirs is in the documents."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry

from ia0_daemon.alerts.conditions import backup_stale, restart_loop
from ia0_daemon.alerts.rules import RULES, SAID_BY, SEEN_AGAIN, Alert
from ia0_daemon.supervisor.event_kinds import Kind, usual_severity
from ia0_daemon.supervisor.event_metrics import EventMetrics
from tests.contract.roles import REPOSITORY

PAGE = (REPOSITORY / "docs/events-and-alerts.md").read_text("utf-8")
TROUBLE = (REPOSITORY / "docs/troubleshooting.md").read_text("utf-8")
METRICS = (REPOSITORY / "docs/metrics.md").read_text("utf-8")


def section(page: str, title: str) -> str:
    return page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_kind_is_documented_with_its_severity() -> None:
    table = re.findall(r"^\| `(\w+)` \| (\w+) \|", section(PAGE, "Events"), re.M)
    assert table == [(kind.value, usual_severity(kind)) for kind in Kind]


def test_every_alert_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section(PAGE, "Alerts"), re.M)) == set(Alert)


def test_every_alert_has_its_entry_in_the_troubleshooting() -> None:
    entries = section(TROUBLE, "One entry for each alert").split("\n### ")[1:]
    assert {entry.split("\n", 1)[0] for entry in entries} == set(Alert)
    shape = ["Symptom", "Check", "Cause", "Fix"]
    assert [entry for entry in entries if re.findall(r"^- \*\*(\w+)\*\*:", entry, re.M) != shape] == []


def test_every_alert_has_something_that_fires_it() -> None:
    judged = {restart_loop.__name__, backup_stale.__name__}
    assert set(RULES) | {Alert(name) for name in judged} == set(Alert)


def test_what_holds_an_alert_back_is_an_alert_that_ends() -> None:
    assert set(SAID_BY.values()) | SEEN_AGAIN <= set(RULES)
    assert all(rule.fires and rule.ends and not rule.fires & rule.ends for rule in RULES.values())


def test_every_metric_is_documented_with_its_labels() -> None:
    registry = CollectorRegistry()
    EventMetrics(registry)
    rows = dict(re.findall(r"^\| `(ia0_\w+)` \| \w+ \| ([\w, ]*) \|", METRICS, re.M))
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name in rows, name
