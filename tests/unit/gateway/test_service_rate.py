"""Who is refused is told when there is probably a slot again."""

from __future__ import annotations

import pytest

from ia0_daemon.gateway.service_rate import ServiceRate


def measured(*held_s: float) -> ServiceRate:
    rate = ServiceRate()
    for one in held_s:
        rate.note(one)
    return rate


def test_before_anything_was_measured_the_word_is_soon() -> None:
    assert ServiceRate().per_second(4) is None
    assert ServiceRate().retry_after_s(waiting=64, slots=4) == 1


def test_so_many_slots_come_back_a_second_as_their_answers_last() -> None:
    assert measured(2.0).per_second(slots=4) == 2.0


@pytest.mark.parametrize(
    ("held_s", "waiting", "slots", "told"),
    [(2.0, 7, 4, 4), (2.0, 8, 4, 5), (0.01, 0, 4, 1), (60.0, 64, 1, 600), (0.0, 10, 1, 1)],
)
def test_it_is_the_time_for_all_who_wait_rounded_up_and_bounded(
    held_s: float, waiting: int, slots: int, told: int
) -> None:
    assert measured(held_s).retry_after_s(waiting, slots) == told


def test_the_newest_answers_count_most() -> None:
    slower = measured(1.0, *[10.0] * 20)
    assert slower.held_s is not None
    assert 9.5 < slower.held_s < 10.0
