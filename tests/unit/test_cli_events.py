"""`ia0 events` and `ia0 alerts`: what they print, and how they fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from ia0_daemon.cli import main
from ia0_daemon.clock import rfc3339
from ia0_daemon.control import ControlServer
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import AlertRow, Keep
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ia0.toml"
    path.write_text(
        f'[server]\nsocket_path = "{tmp_path}/ia0.sock"\n[events]\npath = "{tmp_path}/events.db"\n'
        '[alerts]\ncommand = ["/bin/true"]\n'
    )
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(tmp_path / "events.db", Keep(1000, 86400 * 30), EventMetrics(CollectorRegistry()))
    store.start()
    old = rfc3339(datetime.now(UTC) - timedelta(hours=5))
    store.record(Event(old, "drain", "info", "Long ago."))
    store.record(Event.now(Kind.MEMORY_HARD, "Too much is held.", held=7))
    store.record(Event.now(Kind.ENGINE_RESTARTED, "Restarted."))
    assert store.flush(20)
    yield store
    store.stop()


@pytest.fixture
def ia0(file: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("IA0_CONFIG", str(file))
    return None


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


pytestmark = pytest.mark.usefixtures("ia0")


def test_events_are_a_table_newest_first_while_the_daemon_writes(store: EventStore) -> None:
    lines = run("events").stdout.splitlines()
    assert [line.split(maxsplit=3)[1:] for line in lines] == [
        ["info", "engine_restarted", "Restarted."],
        ["error", "memory_hard", "Too much is held."],
        ["info", "drain", "Long ago."],
    ]


def test_events_are_there_where_no_daemon_runs(store: EventStore) -> None:
    store.stop()
    assert len(run("events").stdout.splitlines()) == 3


def test_events_as_json_have_their_details(store: EventStore) -> None:
    found = [
        json.loads(line) for line in run("events", "--json", "--kind", "memory_hard").stdout.splitlines()
    ]
    assert [(each["kind"], each["details"]) for each in found] == [("memory_hard", {"held": 7})]


@pytest.mark.parametrize("since", ["2h", "7200s", "1h30m", "DATE"])
def test_since_takes_durations_and_times(store: EventStore, since: str) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=2)).isoformat() if since == "DATE" else since
    assert "Long ago." not in run("events", "--since", moment).stdout
    assert "Long ago." in run("events", "--since", "1d").stdout


@pytest.mark.parametrize("option", [("--severity", "error"), ("-n", "1", "--severity", "error")])
def test_events_are_chosen_by_severity_and_number(store: EventStore, option: tuple[str, ...]) -> None:
    assert [line.split()[2] for line in run("events", *option).stdout.splitlines()] == ["memory_hard"]


@pytest.mark.parametrize("wrong", [("--since", "soon"), ("--kind", "nonsense"), ("--severity", "bad")])
def test_wrong_usage_is_exit_code_2(wrong: tuple[str, ...]) -> None:
    assert run("events", *wrong).exit_code == 2


def test_no_events_are_no_failure(store: EventStore) -> None:
    result = run("events", "--kind", "undrain")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no such events\n")


def test_a_history_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = run("events")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"there is no history at {tmp_path}/events.db" in result.stderr


def test_what_is_no_history_is_said(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x" * 5000)
    result = run("events", "--database", tmp_path / "other")
    assert result.exit_code == 1
    assert "file is not a database" in result.stderr


def test_who_follows_sees_what_comes(store: EventStore, file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "ia0_daemon", "events", "--follow"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "IA0_CONFIG": str(file)},
        cwd=Path(__file__).parents[2],
        # Who runs the tests in the background of a shell has SIGINT ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    seen = [process.stdout.readline().split()[2] for _ in range(3)]
    store.record(Event.now(Kind.UNDRAIN, "Back."))
    seen.append(process.stdout.readline().split()[2])
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert seen == ["drain", "memory_hard", "engine_restarted", "undrain"]
    assert process.returncode == 1


def test_alerts_that_fire_are_listed(store: EventStore) -> None:
    assert run("alerts", "list").stdout == "no alert fires\n"
    store.save_alerts((AlertRow("disk_low", "warning", "Full.", {}, "2026-01-31T08:00:00.000Z", ""),))
    assert store.flush(20)
    assert run("alerts", "list").stdout.split() == [
        "2026-01-31T08:00:00.000Z",
        "warning",
        "disk_low",
        "Full.",
    ]
    assert json.loads(run("alerts", "list", "--json").stdout)["name"] == "disk_low"


def test_a_test_alert_is_sent_by_the_daemon(tmp_path: Path) -> None:
    answers = [
        {"sink": "webhook", "ok": True, "answer": "200"},
        {"sink": "command", "ok": False, "answer": "no"},
    ]
    server = ControlServer(tmp_path / "ia0.sock", {"alerts_test": lambda _: answers})
    server.start()
    result = run("alerts", "test")
    answers.pop()
    good = run("alerts", "test")
    server.stop()
    assert (result.exit_code, result.stderr) == (1, "webhook: ok: 200\ncommand: failed: no\n")
    assert (good.exit_code, good.stdout) == (0, "webhook: ok: 200\n")


def test_a_test_alert_without_a_daemon_says_how_to_send_it() -> None:
    result = run("alerts", "test")
    assert result.exit_code == 1
    assert "--direct" in result.stderr
    assert run("alerts", "test", "--direct").stdout == "command: ok: exit 0 from /bin/true\n"


def test_without_a_sink_a_test_alert_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IA0_ALERTS__COMMAND", "")
    result = run("alerts", "test", "--direct")
    assert result.exit_code == 1
    assert "no sink is configured" in result.stderr


def test_the_webhooks_address_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IA0_ALERTS__WEBHOOK_URL", "https://hooks.example/verysecret")
    shown = run("config", "show").stdout
    assert "alerts.webhook_url = (hidden)" in shown
    assert "verysecret" not in shown
