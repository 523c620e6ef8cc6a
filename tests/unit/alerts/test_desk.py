"""From an event to the messages, over the daemon's restarts."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from ia0_daemon.alerts.rules import RULES, SEEN_AGAIN, Alert
from ia0_daemon.alerts.sink import sinks_of
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_rows import Wanted
from ia0_daemon.supervisor.events import Event
from tests.unit.alerts.conftest import Clock, Notebook, Office, Opened, Receiver, settings_with
from tests.unit.conftest import Eventually


def events(office: Office, *kinds: Kind) -> list[str]:
    assert office.store.flush(20)
    return [row.event.kind for row in office.store.read(Wanted(kinds=tuple(kinds)))]


@pytest.mark.parametrize("alert", RULES)
def test_its_events_fire_and_end_every_alert(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually, alert: Alert
) -> None:
    here = office()
    here.store.record(Event.now(next(iter(RULES[alert].fires)), "It is so."))
    clock.pass_(minutes=2)
    here.desk.repeat()
    eventually(lambda: notebook.told == [(alert, "firing")])
    assert here.registry.get_sample_value("ia0_alert_firing", {"alert": alert}) == 1
    here.store.record(Event.now(sorted(RULES[alert].ends)[0], "It is over."))
    eventually(lambda: notebook.told == [(alert, "firing"), (alert, "resolved")])
    assert here.registry.get_sample_value("ia0_alert_firing", {"alert": alert}) == 0
    assert events(here, Kind.ALERT_FIRING, Kind.ALERT_RESOLVED) == ["alert_resolved", "alert_firing"]


def test_a_crash_loop_that_ends_in_failed_is_one_message(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually
) -> None:
    here = office()
    for _ in range(5):
        for kind in (Kind.ENGINE_CRASHED, Kind.RESTART_STARTED, Kind.ENGINE_RESTARTED):
            here.store.record(Event.now(kind, "again"))
        clock.pass_(seconds=30)
        here.desk.repeat()
    here.store.record(Event.now(Kind.ENGINE_CRASHED, "again"))
    here.store.record(Event.now(Kind.SUPERVISOR_FAILED, "Restarts were given up."))
    clock.pass_(minutes=30)
    here.desk.repeat()
    eventually(lambda: notebook.told)
    assert notebook.told == [("supervisor_failed", "firing")]


def test_restarts_that_stay_within_the_budget_are_a_loop_too(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually
) -> None:
    here = office(restart_loop_count=3)
    for _ in range(2):
        here.store.record(Event.now(Kind.RESTART_STARTED, "again"))
    assert events(here, Kind.RESTART_STARTED) == ["restart_started"] * 2
    here = office(restart_loop_count=3)  # the daemon is restarted in between
    here.store.record(Event.now(Kind.RESTART_STARTED, "again"))
    eventually(lambda: notebook.told == [("restart_loop", "firing")])
    clock.pass_(days=2)
    here.desk.repeat()
    eventually(lambda: ("restart_loop", "resolved") in notebook.told)


def test_a_backup_that_does_not_come_is_told_until_it_comes(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually
) -> None:
    here = office(backup_age_s=3600)
    clock.pass_(minutes=61)
    here.desk.repeat()
    eventually(lambda: notebook.told == [("backup_stale", "firing")])
    clock.now = type(clock)().now
    here.store.record(Event.now(Kind.BACKUP_MADE, "made"))
    eventually(lambda: notebook.told[-1] == ("backup_stale", "resolved"))


def test_a_backup_that_a_command_made_ends_both_alerts(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually
) -> None:
    here = office(backup_age_s=3600)
    here.store.record(Event.now(Kind.BACKUP_FAILED, "no room"))
    clock.pass_(minutes=61)
    here.desk.repeat()
    eventually(lambda: len(notebook.told) == 2)
    here.desk._newest_backup = clock
    here.desk.repeat()
    eventually(lambda: len(notebook.told) == 4)
    assert {*notebook.told[2:]} == {("backup_failed", "resolved"), ("backup_stale", "resolved")}


def test_a_disk_is_told_once_while_it_is_low(
    office: Opened, notebook: Notebook, eventually: Eventually
) -> None:
    @dataclass(frozen=True)
    class Disk:
        free_bytes: int
        path: str = "/models"
        total_bytes: int = 1000

    here = office()
    for free in (10, 10, 55, 500):
        here.desk.watch_disks([Disk(free)])
    assert events(here, Kind.DISK_LOW, Kind.DISK_OK) == ["disk_ok", "disk_low"]
    eventually(lambda: notebook.told[-1:] == [("disk_low", "resolved")])


def test_an_alert_that_fires_on_is_told_again_and_not_anew_after_a_restart(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually
) -> None:
    here = office()
    here.store.record(Event.now(Kind.BACKUP_FAILED, "no room"))
    eventually(lambda: notebook.told == [("backup_failed", "firing")])
    here = office()
    here.store.record(Event.now(Kind.BACKUP_FAILED, "no room"))
    clock.pass_(hours=4)
    here.desk.repeat()
    eventually(lambda: len(notebook.told) == 2)
    assert notebook.told[1] == ("backup_failed", "repeated")


def test_what_a_new_daemon_does_not_see_again_is_over(
    office: Opened, notebook: Notebook, clock: Clock, eventually: Eventually
) -> None:
    here = office()
    for kind in (Kind.MEMORY_HARD, Kind.SUPERVISOR_FAILED, Kind.BACKUP_FAILED):
        here.store.record(Event.now(kind, "so"))
    eventually(lambda: len(notebook.told) == 3)
    here = office()
    here.store.record(Event.now(Kind.MEMORY_HARD, "still"))
    here.desk.repeat()
    clock.pass_(minutes=11)
    here.desk.repeat()
    eventually(lambda: len(notebook.told) == 4)
    assert notebook.told[3] == ("supervisor_failed", "resolved")
    assert Alert.BACKUP_FAILED not in SEEN_AGAIN


def test_a_dead_sink_is_one_event_and_no_loop(
    office: Opened, notebook: Notebook, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ia0_daemon.alerts.outbox.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("ia0_daemon.alerts.outbox.Outbox.__init__.__defaults__", (0.01,))
    notebook.error = "gone"
    here = office()
    here.store.record(Event.now(Kind.MEMORY_HARD, "so"))
    failed = {"sink": "notebook", "result": "failed"}
    eventually(lambda: (here.registry.get_sample_value("ia0_alert_messages_total", failed) or 0) >= 3)
    assert events(here, Kind.ALERT_FAILED, Kind.ALERT_RECOVERED) == ["alert_failed"]
    notebook.error = ""
    eventually(lambda: events(here, Kind.ALERT_RECOVERED) == ["alert_recovered"])
    assert notebook.told == [("memory_hard", "firing")]


def test_other_sinks_get_their_message_while_one_is_dead(
    office: Opened, notebook: Notebook, eventually: Eventually
) -> None:
    dead = Notebook("dead", error="gone")
    here = office(lambda _: (dead, notebook))
    here.store.record(Event.now(Kind.MEMORY_HARD, "so"))
    eventually(lambda: notebook.told == [("memory_hard", "firing")])


def test_a_reload_hands_what_waits_to_the_new_sinks(
    office: Opened, notebook: Notebook, eventually: Eventually
) -> None:
    dead = Notebook("dead", error="gone")
    here = office(lambda alerts: (notebook,) if alerts.repeat_s == 60 else (dead,))
    here.store.record(Event.now(Kind.MEMORY_HARD, "so"))
    eventually(lambda: events(here, Kind.ALERT_FAILED))
    here.desk.apply(settings_with(repeat_s=60))
    eventually(lambda: notebook.told == [("memory_hard", "firing")])


def test_an_alert_reaches_a_real_webhook(
    office: Opened, receiver: Receiver, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        here = office(sinks_of, webhook_url=receiver.url)
        here.store.record(Event.now(Kind.MEMORY_HARD, "so"))
        eventually(lambda: receiver.bodies)
        assert receiver.bodies[0]["alert"] == "memory_hard"
        here.desk.stop()
    assert "verysecret" not in caplog.text


def test_a_test_alert_tells_what_came_back(office: Opened, receiver: Receiver) -> None:
    here = office(webhook_url=receiver.url, command=("/no/such/program",))
    results = here.desk.commands()["alerts_test"]({})
    assert [(each["sink"], each["ok"]) for each in results] == [("webhook", True), ("command", False)]  # type: ignore[attr-defined]
    assert receiver.bodies[0]["status"] == "test"
    assert events(here) == []
