import math

import pytest

from ia0_daemon.embedded.durations import FOREVER, parse_env_duration, parse_go_duration, parse_keep_alive


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("300ms", 0.3),
        ("1.5s", 1.5),
        ("0", 0),
        ("-1s", -1),
        ("+2s", 2),
        ("10us", 1e-5),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    assert math.isclose(parse_go_duration(text), seconds)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", 'time: invalid duration ""'),
        ("abc", 'time: invalid duration "abc"'),
        ("10", 'time: missing unit in duration "10"'),
        ("10x", 'time: unknown unit "x" in duration "10x"'),
        ("5m ", 'time: unknown unit "m " in duration "5m "'),
    ],
)
def test_a_wrong_duration_is_refused_in_gos_words(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$"):
        parse_go_duration(text)


def test_a_keep_alive_of_a_number_is_seconds() -> None:
    assert parse_keep_alive(90) == 90
    assert parse_keep_alive(0.5) == 0.5
    assert parse_keep_alive("10m") == 600


@pytest.mark.parametrize("value", [-1, -0.5, "-1m"])
def test_a_negative_keep_alive_is_for_ever(value: object) -> None:
    assert parse_keep_alive(value) == FOREVER


@pytest.mark.parametrize("value", [True, [], {}])
def test_a_keep_alive_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Unsupported type"):
        parse_keep_alive(value)


def test_the_environment_may_give_plain_seconds_and_a_wrong_one_is_the_default() -> None:
    assert parse_env_duration("30", 5) == 30
    assert parse_env_duration("-1", 5) == FOREVER
    assert parse_env_duration("nonsense", 5) == 5
    assert parse_env_duration("", 5) == 5
