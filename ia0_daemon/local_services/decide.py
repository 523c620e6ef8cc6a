"""What `start` must do with a service: pure, from what is remembered, what runs and what is wanted.

decide():  nothing runs                        -> START (leftovers are ended first)
           what a restart depends on differs   -> RESTART
           only what can be reloaded differs   -> RELOAD
           nothing differs                     -> KEEP
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ia0_daemon.local_services.fingerprints import Fingerprint, changed


class Action(StrEnum):
    """What is to be done, or was done."""

    KEEP = "keep"
    START = "start"
    RELOAD = "reload"
    RESTART = "restart"
    STOP = "stop"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """An action and the reasons for it, as an operator reads them."""

    action: Action
    why: tuple[str, ...] = ()


def decide(
    running: Fingerprint | None, wanted: Fingerprint, *, leftovers: bool, can_reload: bool
) -> Decision:
    """Choose the smallest step; ``running`` is None where the service's main process does not run."""
    if running is None:
        why = "processes without a main process were left" if leftovers else "it did not run"
        return Decision(action=Action.START, why=(why,))
    restart = changed(running.restart, wanted.restart)
    reload = changed(running.reload, wanted.reload)
    if restart or (reload and not can_reload):
        return Decision(action=Action.RESTART, why=_differ(restart + reload))
    if reload:
        return Decision(action=Action.RELOAD, why=_differ(reload))
    return Decision(action=Action.KEEP)


def _differ(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name} changed" for name in dict.fromkeys(names))
