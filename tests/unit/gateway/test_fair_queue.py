"""The next slot goes to the waiting key that holds the fewest, in turns among equals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.gateway.fair_queue import FairQueue


def queue_of(lines: dict[str, int]) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for key, number in lines.items():
        for index in range(number):
            queue.join(key, f"{key}{index}")
    return queue


def served(queue: FairQueue[str], times: int) -> list[str | None]:
    """Who is served by one slot that goes from hand to hand."""
    order = []
    for _ in range(times):
        one = queue.next_one()
        order.append(one)
        if one is not None:
            queue.release(one[0])
    return order


def test_a_line_is_served_in_its_order() -> None:
    assert served(queue_of({"a": 3}), 4) == ["a0", "a1", "a2", None]


def test_keys_take_turns_however_many_wait_for_one() -> None:
    queue = queue_of({"a": 100, "b": 2, "c": 1})
    assert served(queue, 7) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


def test_a_key_that_was_served_without_a_wait_has_had_its_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.take("a")
    queue.join("a", "a0")
    queue.join("b", "b0")
    queue.release("a")
    assert served(queue, 2) == ["b0", "a0"]


def test_who_holds_fewer_slots_comes_first_although_it_is_not_its_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    for key in "abb":
        queue.take(key)
    queue.release("b")
    queue.release("b")
    queue.join("b", "b0")
    queue.join("a", "a0")
    assert served(queue, 2) == ["b0", "a0"]


def test_a_key_that_was_away_earns_no_slots_by_that() -> None:
    queue = queue_of({"a": 50})
    served(queue, 40)
    for index in range(5):
        queue.join("b", f"b{index}")
    assert served(queue, 6) in (
        ["a40", "b0", "a41", "b1", "a42", "b2"],
        ["b0", "a40", "b1", "a41", "b2", "a42"],
    )


def test_a_key_that_only_held_a_slot_earns_no_others_by_that() -> None:
    queue = queue_of({"b": 50})
    queue.take("a")
    queue.take("b")
    served(queue, 40)
    for index in range(3):
        queue.join("a", f"a{index}")
    assert sorted(str(one) for one in served(queue, 4)) == ["a0", "a1", "b40", "b41"]


def test_who_leaves_is_not_served_and_costs_its_key_no_turn() -> None:
    queue = queue_of({"a": 3, "b": 2})
    queue.leave("a", "a0")
    queue.leave("a", "a1")
    assert served(queue, 4) == ["a2", "b0", "b1", None]


def test_keys_that_hold_and_want_nothing_are_forgotten() -> None:
    queue = queue_of(dict.fromkeys("abcdef", 2))
    served(queue, 12)
    assert not queue._keys


def test_a_key_is_forgotten_although_another_never_rests() -> None:
    queue = queue_of({"a": 10, "b": 1})
    served(queue, 6)
    assert list(queue._keys) == ["a"]


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "next", "release"]), st.sampled_from("abcd"))))
def test_the_counts_hold_and_the_key_with_the_fewest_is_served(steps: list[tuple[str, str]]) -> None:
    queue: FairQueue[str] = FairQueue()
    waiting: dict[str, list[str]] = {key: [] for key in "abcd"}
    held = dict.fromkeys("abcd", 0)
    for number, (step, key) in enumerate(steps):
        if step == "join":
            waiting[key].append(f"{key}{number}")
            queue.join(key, waiting[key][-1])
        elif step == "leave" and waiting[key]:
            queue.leave(key, waiting[key].pop())
        elif step == "release" and held[key]:
            queue.release(key)
            held[key] -= 1
        elif step == "next":
            fewest = min((held[name] for name in waiting if waiting[name]), default=None)
            one = queue.next_one()
            assert (one is None) == (fewest is None)
            if one is not None:
                assert (waiting[one[0]].pop(0), held[one[0]]) == (one, fewest)
                held[one[0]] += 1
        assert (queue.waiting, queue.busy) == (sum(map(len, waiting.values())), sum(held.values()))


@given(st.lists(st.sampled_from("bcdef"), min_size=20, max_size=200))
def test_nobody_starves_behind_keys_that_come_again_and_again(others: list[str]) -> None:
    """`a` has a line; each of the others comes back as soon as it was served."""
    queue = queue_of({"a": len(others)})
    present: set[str] = set()
    turns_without_a = 0
    for number, key in enumerate(others):
        if key not in present:
            queue.join(key, f"{key}{number}")
            present.add(key)
        one = queue.next_one()
        assert one is not None
        queue.release(one[0])
        present.discard(one[0])
        turns_without_a = 0 if one[0] == "a" else turns_without_a + 1
        assert turns_without_a <= 2 * len("bcdef")
