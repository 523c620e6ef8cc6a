import threading

import pytest

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import Cancelled
from ia0_daemon.embedded.slots import Slots


def in_thread(slots: Slots, context: Context, events: list[str], name: str) -> threading.Thread:
    def wait() -> None:
        try:
            slots.acquire(context)
        except Cancelled:
            events.append(f"{name} left")
        else:
            events.append(name)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_freed_slot_goes_to_the_one_who_waits() -> None:
    slots, events = Slots(1), list[str]()
    slots.acquire(Context())
    waiting = in_thread(slots, Context(), events, "second")
    assert events == []
    slots.release()
    waiting.join(10)
    assert events == ["second"]


def test_who_hangs_up_while_waiting_takes_no_slot() -> None:
    slots, events, context = Slots(1), list[str](), Context()
    slots.acquire(Context())
    waiting = in_thread(slots, context, events, "second")
    context.cancel()
    waiting.join(10)
    assert events == ["second left"]
    slots.release()
    slots.acquire(Context())


def test_a_slot_that_is_handed_to_one_who_has_gone_is_not_lost() -> None:
    slots, gone = Slots(1), Context()
    slots.acquire(Context())
    gone.cancel()
    with pytest.raises(Cancelled):
        slots.acquire(gone)
    slots.release()
    slots.acquire(Context())
