"""The smallest step that brings a service to what is wanted."""

from __future__ import annotations

from ia0_daemon.local_services.decide import Action, Decision, decide
from ia0_daemon.local_services.fingerprints import Fingerprint

OLD = Fingerprint(restart={"command": "1", "code": "1"}, reload={"settings": "1"})
NEW_CODE = Fingerprint(restart={"command": "1", "code": "2"}, reload={"settings": "1"})
NEW_SETTINGS = Fingerprint(restart={"command": "1", "code": "1"}, reload={"settings": "2"})
ALL_NEW = Fingerprint(restart={"command": "1", "code": "2"}, reload={"settings": "2"})


def test_nothing_differs_so_it_is_kept() -> None:
    assert decide(OLD, OLD, leftovers=False, can_reload=True) == Decision(action=Action.KEEP)


def test_what_does_not_run_is_started() -> None:
    assert decide(None, OLD, leftovers=False, can_reload=True).why == ("it did not run",)


def test_a_start_says_that_something_was_left() -> None:
    decision = decide(None, OLD, leftovers=True, can_reload=True)
    assert decision == Decision(action=Action.START, why=("processes without a main process were left",))


def test_a_change_that_cannot_be_reloaded_restarts_and_is_named() -> None:
    decision = decide(OLD, NEW_CODE, leftovers=False, can_reload=True)
    assert decision == Decision(action=Action.RESTART, why=("code changed",))


def test_a_change_that_can_be_reloaded_reloads() -> None:
    decision = decide(OLD, NEW_SETTINGS, leftovers=False, can_reload=True)
    assert decision == Decision(action=Action.RELOAD, why=("settings changed",))


def test_without_a_way_to_reload_it_restarts() -> None:
    assert decide(OLD, NEW_SETTINGS, leftovers=False, can_reload=False).action is Action.RESTART


def test_both_changes_restart_once() -> None:
    decision = decide(OLD, ALL_NEW, leftovers=False, can_reload=True)
    assert decision == Decision(action=Action.RESTART, why=("code changed", "settings changed"))


def test_a_watch_that_is_new_counts_as_a_change() -> None:
    wanted = Fingerprint(restart=OLD.restart | {"more": "1"}, reload=OLD.reload)
    assert decide(OLD, wanted, leftovers=False, can_reload=True).why == ("more changed",)
