"""Durations, sizes, keep-alive and log level: every spelling that is taken, and none beside."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.settings.units import Bytes, KeepAlive, Level, Seconds, go_duration


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (30, 30),
        (0.5, 0.5),
        ("30", 30),
        ("30s", 30),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("2h", 7200),
        (" 5m ", 300),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("250μs", 0.00025),
        ("1ns", 1e-9),
        ("0", 0),
        (".5s", 0.5),
        ("-5s", -5),
        ("+5s", 5),
        ("1e0s", None),
        ("", None),
        ("s", None),
        ("30 s", None),
        ("30sec", None),
        ("1d", None),
        ("5m5", None),
        ("--5s", None),
        ("٣s", None),
        ("nan", None),
        ("inf", None),
        (math.nan, None),
        (math.inf, None),
        (True, None),
        (None, None),
        ([], None),
        ("99999999999h", None),
    ],
)
def test_a_duration_is_a_number_or_has_units(value: object, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(ValueError, match=r".*"):
            Seconds.parse(value)
    else:
        assert Seconds.parse(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("64KiB", 65536),
        ("4MiB", 4194304),
        ("1GB", 10**9),
        ("4 mib", 4194304),
        ("1.5KiB", 1536),
        ("10k", 10_000),
        ("1TiB", 2**40),
        ("7b", 7),
        ("1.5", None),
        ("4XB", None),
        ("", None),
        ("MiB", None),
        ("-1", None),
        ("1e3", None),
        (1.5, None),
        (True, None),
        (None, None),
        ("٤MiB", None),
    ],
)
def test_a_size_is_a_number_or_has_a_unit(value: object, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match=r".*"):
            Bytes.parse(value)
    else:
        assert Bytes.parse(value) == size


@pytest.mark.parametrize(
    ("value", "text", "wire"),
    [
        ("30m", "30m", "30m"),
        (-1, "-1", -1),
        ("-1", "-1", -1),
        (0, "0", 0),
        ("0", "0", 0),
        ("-0", "0", 0),
        (3600, "3600", 3600),
        ("+60", "60", 60),
        ("-1m", "-1m", "-1m"),
        ("1h2m3s", "1h2m3s", "1h2m3s"),
        (" 5m ", "5m", "5m"),
    ],
)
def test_a_keep_alive_is_seconds_or_a_go_duration(value: object, text: str, wire: object) -> None:
    keep_alive = KeepAlive.parse(value)
    assert keep_alive == text
    assert keep_alive.wire() == wire


@pytest.mark.parametrize(
    "value", ["", "???", "1d", "1y", "forever", True, 1.5, None, 10**12, "1.5", "99999999999"]
)
def test_what_ollama_would_silently_ignore_is_no_keep_alive(value: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        KeepAlive.parse(value)


@pytest.mark.parametrize("value", ["info", "INFO", " Info "])
def test_a_log_level_is_taken_in_any_case(value: str) -> None:
    assert Level.parse(value) == "INFO"


@pytest.mark.parametrize("value", ["", "loud", "WARN", 20, None])
def test_another_log_level_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Level.parse(value)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int, millis: int) -> None:
    parsed = go_duration(f"{hours}h{minutes}m{seconds}s{millis}ms")
    assert parsed == pytest.approx(hours * 3600 + minutes * 60 + seconds + millis / 1000)


@given(st.text(max_size=20))
def test_a_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = Seconds.parse(text)
    except ValueError:
        return
    assert math.isfinite(seconds)


@given(st.integers(0, 86_400_000))
def test_a_duration_that_is_written_is_read_the_same(millis: int) -> None:
    seconds = Seconds(millis / 1000)
    assert Seconds.parse(seconds.text()) == pytest.approx(seconds, rel=1e-4)


@given(st.integers(0, 2**40))
def test_a_size_that_is_written_is_read_the_same(size: int) -> None:
    assert Bytes.parse(Bytes(size).text()) == size
