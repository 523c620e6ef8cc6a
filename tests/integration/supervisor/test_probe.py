"""An engine that answers every question of state and no longer writes is found while nobody asks it."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.integration.supervisor.conftest import events, wait_for_event, watched

# What the tests' world asks when it begins, and what a probe asks; every second of these is never answered.
WEDGE = {"IA0_ENGINE_FAULT_WEDGE": "1;when=Hi;every=2"}


def test_an_engine_that_only_seems_well_is_found_by_a_probe_and_restarted(tmp_path: Path) -> None:
    sections: dict[str, dict[str, object]] = {"restart": {"probe_idle_s": 1, "probe_timeout_s": 2}}
    with watched(tmp_path, WEDGE, sections) as made:
        pid = made.engine_pid()
        told = wait_for_event(made, "engine_restarted", 0)["details"]
        assert isinstance(told, dict)
        assert (told["cause"], told["warmed"]) == ("stall", ["smollm2:135m"])
        assert "wrote no token within 2 s for a probe" in str(events(made, "engine_crashed")[0]["message"])
        assert made.engine_pid() != pid
        assert made.daemon.metric('ia0_probes_total{result="stuck"}') >= 1
        body = {"prompt": "Say a word.", "params": {"max_tokens": 2}}
        assert requests.post(f"{made.daemon.url}/llm/generate", json=body, timeout=120).status_code == 200


def test_a_probe_loads_nothing_and_keeps_nothing_loaded_for_longer(tmp_path: Path) -> None:
    sections: dict[str, dict[str, object]] = {
        # Long enough for two probes on a machine that stands still for seconds, which they outlast, too.
        "engine": {"keep_alive": "20s"},
        "restart": {"probe_idle_s": 1, "probe_timeout_s": 6},
    }
    with watched(tmp_path, sections=sections) as made:
        made.daemon.wait_for(lambda: made.daemon.metric('ia0_probes_total{result="wrote"}') >= 2)
        made.daemon.wait_for(lambda: not made.child_pids())
        probed = made.daemon.metric('ia0_probes_total{result="wrote"}')
        ticked = made.daemon.metric("ia0_heartbeat_timestamp_seconds")
        made.daemon.wait_for(lambda: made.daemon.metric("ia0_heartbeat_timestamp_seconds") > ticked + 3)
        assert made.daemon.metric('ia0_probes_total{result="wrote"}') == probed
        assert made.child_pids() == []
        assert events(made, "restart_started") == []
