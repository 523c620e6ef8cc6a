import re

from ia0_daemon.embedded.wire import Stopwatch, timestamp, trailer


def test_times_are_rfc_3339_with_nanoseconds() -> None:
    assert timestamp(0.5) == "1970-01-01T00:00:00.500000000Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", timestamp())


def test_never_is_a_far_time_that_can_be_read() -> None:
    assert timestamp(float("inf")) > "2300"


def test_figures_of_zero_are_left_out() -> None:
    figures = trailer(Stopwatch(), {"eval_count": 3, "prompt_eval_count": 0})
    assert figures["eval_count"] == 3
    assert "prompt_eval_count" not in figures
    assert "load_duration" not in figures
