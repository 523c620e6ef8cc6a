"""The table of playbooks/status.yml: a line for every host, whatever it answered."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).parents[2] / "playbooks/filter_plugins/fleet_status.py"

TOLD: dict[str, Any] = {
    "version": "0.1.0",
    "ready": True,
    "reasons": [],
    "in_flight": 3,
    "supervisor": {"state": "watching", "drained": None, "last_restart": None},
    "engine": {"version": "0.32.15", "error": None},
    "models": {"qwen2-7b": "loaded"},
    "memory": {"held_bytes": 2 * 1024 * 1024},
    "backup": {"at": "2026-11-22T22:00:00Z", "path": "/var/lib/ia0/backups/a.tar.gz"},
}


def table(*hosts: dict[str, Any]) -> list[str]:
    spec = importlib.util.spec_from_file_location("fleet_status", PLUGIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.fleet_status(hosts)).splitlines()


def answering(**changes: object) -> dict[str, Any]:
    return {"inventory_hostname": "gpu1", "__status": {"stdout": json.dumps(TOLD | changes)}}


def test_a_host_that_answers_has_a_cell_for_each_head() -> None:
    heads, row = table(answering())
    cells = {head: row[heads.index(head) :].split("  ")[0] for head in ("HOST", "READY", "MEMORY", "MODELS")}
    assert cells == {"HOST": "gpu1", "READY": "yes", "MEMORY": "2 MiB", "MODELS": "qwen2-7b loaded"}


def test_a_drain_is_told_with_its_mode_and_since_when() -> None:
    supervisor = TOLD["supervisor"] | {"drained": {"mode": "hold", "since": "22:00"}}
    assert "hold since 22:00" in table(answering(supervisor=supervisor))[1]


def test_what_is_wrong_with_a_host_that_answers_is_told() -> None:
    assert (
        "  yes, but: the shared store is away  " in table(answering(troubles=["the shared store is away"]))[1]
    )


def test_a_host_that_is_not_ready_says_why() -> None:
    assert (
        "NO: the engine does not answer"
        in table(answering(ready=False, reasons=["the engine does not answer"]))[1]
    )


def test_a_host_that_does_not_answer_has_its_line_with_the_reason() -> None:
    dead = {"inventory_hostname": "gpu2", "__status_fault": "status: no daemon\nanswers"}
    gone = {"inventory_hostname": "gpu3", "__status": {"unreachable": True, "msg": "Connection refused"}}
    assert [line.split("  ")[-1] for line in table(dead, gone)[1:]] == [
        "status: no daemon answers",
        "Connection refused",
    ]


def test_a_host_that_was_not_asked_has_no_line() -> None:
    assert len(table({"inventory_hostname": "gpu9"})) == 1
