"""A threshold that the models must break is refused, with the arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ia0_daemon.settings import memory_rules
from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.schema import Memory, Model, Settings
from ia0_daemon.settings.units import Amount, Bytes

Faults = Callable[..., dict[str, Fault]]

GIB = 2**30
QWEN = Model(name="q", tag="q:1", memory=Bytes(6 * GIB))
LLAMA = Model(name="l", tag="l:1", memory=Bytes(7 * GIB))


def found(
    capacity: int | None = None, models: dict[str, Model] | None = None, **memory: object
) -> list[Finding]:
    amounts = {key: Amount.parse(value) if isinstance(value, str) else value for key, value in memory.items()}
    settings = Settings(
        models={"qwen2": QWEN, "llama": LLAMA} if models is None else models,
        memory=Memory(**amounts),  # type: ignore[arg-type]  # keywords of many types
    )
    return list(memory_rules.findings(settings, capacity))


def test_the_arithmetic_of_what_the_models_hold_is_told(faults: Faults) -> None:
    fault = faults(
        '[models.qwen2]\nname = "q"\ntag = "q:1"\nmemory = "6GiB"\n'
        '[models.llama]\nname = "l"\ntag = "l:1"\nmemory = "7GiB"\n'
        '[memory]\nengine_held_soft = "12GiB"\nengine_held_hard = "20GiB"'
    )["memory.engine_held_soft"]
    wanted = "'12GiB' is below what is needed: llama 7 GiB + qwen2 6 GiB + 2 x 1 GiB of prompt cache = 15 GiB"
    assert wanted in str(fault)


def test_a_bound_that_the_models_fit_below_is_taken() -> None:
    assert found(engine_held_soft="15GiB", engine_held_hard="16GiB") == []


def test_a_prompt_cache_that_fills_is_no_fault_of_a_child() -> None:
    (finding,) = found(child_growth_soft="512MiB", child_growth_hard="2GiB")
    assert finding.key == "memory.child_growth_soft"
    assert "one model's prompt cache may grow to 1 GiB" in finding.rule


def test_the_engines_growth_has_room_for_every_prompt_cache() -> None:
    (finding,) = found(engine_growth_soft="off", engine_growth_hard="1GiB")
    assert "2 x 1 GiB = 2 GiB" in finding.rule


def test_only_the_models_that_are_loaded_at_once_count() -> None:
    assert found(engine_held_soft="8GiB", engine_held_hard="9GiB", max_loaded_models=1) == []


def test_a_percentage_is_held_against_the_machine() -> None:
    (finding,) = found(
        24 * GIB, engine_held_soft="50%", child_growth_soft="2GiB", available_soft="2GiB", available_hard="5%"
    )
    assert "(12 GiB of this machine's 24 GiB) is below what is needed" in finding.rule


def test_what_must_stay_available_must_be_left_by_the_models() -> None:
    (finding,) = found(24 * GIB, available_soft="10GiB", available_hard="1GiB")
    assert "24 GiB - 15 GiB = 9 GiB" in finding.rule


def test_a_machine_of_unknown_size_says_nothing_about_percentages() -> None:
    assert found(engine_held_soft="1%", child_growth_soft="1%", engine_growth_soft="1%") == []


@pytest.mark.parametrize("gib", [1, 2, 4, 24, 64, 1024])
def test_the_defaults_are_taken_on_machines_of_every_size(gib: int) -> None:
    assert list(memory_rules.findings(Settings(), gib * GIB)) == []


@pytest.mark.parametrize("gib", [24, 64])
def test_the_defaults_are_taken_where_two_models_say_what_they_hold(gib: int) -> None:
    assert found(gib * GIB) == []


@pytest.mark.parametrize(
    ("soft", "hard", "measure"),
    [("90%", "80%", "engine_held"), ("4GiB", "3GiB", "child_growth"), ("4%", "5%", "available")],
)
def test_soft_comes_before_hard(soft: str, hard: str, measure: str) -> None:
    (finding,) = found(**{f"{measure}_soft": soft, f"{measure}_hard": hard})
    assert "it would be reached after it" in finding.rule


def test_different_units_are_compared_where_the_machine_is_known() -> None:
    assert found(available_soft="1GiB", available_hard="10%") == []
    assert [finding.key for finding in found(64 * GIB, available_soft="1GiB", available_hard="10%")] == [
        "memory.available_soft"
    ]


def test_what_is_off_is_held_against_nothing() -> None:
    off = {f"{name}_{level}": "off" for name in ("child_growth", "engine_held") for level in ("soft", "hard")}
    assert found(2**40, **off) == []


def test_a_source_that_knows_the_machine_refuses_with_it(tmp_path: Path) -> None:
    file = tmp_path / "ia0.toml"
    file.write_text('[models.a]\nname = "a"\ntag = "a:1"\nmemory = "8GiB"\n')
    assert Source(file, {}).load()
    with pytest.raises(ConfigError, match="of this machine's 8 GiB"):
        Source(file, {}, 8 * GIB).load()
