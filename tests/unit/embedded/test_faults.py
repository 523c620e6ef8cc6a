import re
from pathlib import Path

import pytest

from ia0_daemon.embedded.faults import PREFIX, Fault, Faults

DOCUMENT = Path(__file__).parents[3] / "docs" / "embedded-engine.md"


def faults(**variables: str) -> Faults:
    return Faults.from_environment({PREFIX + name: value for name, value in variables.items()})


def test_without_variables_there_are_no_faults() -> None:
    assert not Faults.from_environment({"PATH": "/bin", "OLLAMA_HOST": "x"})


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"IA0_ENGINE_FAULT_WEGDE: unknown fault; .*IA0_ENGINE_FAULT_WEDGE"):
        faults(WEGDE="1")


def test_a_limit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'first=zero' is not when=TEXT, first=N or every=N"):
        faults(WEDGE="1;first=zero")


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_a_flag_can_be_turned_off(value: str) -> None:
    assert faults(WEDGE=value).hit(Fault.WEDGE) is None


def test_zero_tokens_is_a_number_like_any_other() -> None:
    assert faults(DIE_AFTER_TOKENS="0").number(Fault.DIE_AFTER_TOKENS) == 0


def test_a_fault_can_be_for_prompts_with_a_text_alone() -> None:
    some = faults(DIE_AFTER_TOKENS="3;when=MARK")
    assert some.number(Fault.DIE_AFTER_TOKENS, "without") is None
    assert some.number(Fault.DIE_AFTER_TOKENS, "with the MARK") == 3


def test_a_fault_can_be_for_the_first_requests_alone() -> None:
    some = faults(WEDGE="1;first=2")
    assert [some.hit(Fault.WEDGE) for _ in range(4)] == ["1", "1", None, None]


def test_half_a_wedge_hits_every_second_request() -> None:
    some = faults(HALF_WEDGE="1")
    assert [some.hit(Fault.HALF_WEDGE) for _ in range(4)] == [None, "1", None, "1"]


def test_first_counts_what_every_lets_through() -> None:
    some = faults(WEDGE="1;every=3;first=1")
    assert [some.hit(Fault.WEDGE) for _ in range(7)] == [None, None, "1", None, None, None, None]


def test_the_log_can_say_which_are_on() -> None:
    assert faults(WEDGE="1", SLOW_LOAD_S="2").described() == "WEDGE=1, SLOW_LOAD_S=2"


def test_every_fault_is_documented_and_no_other() -> None:
    documented = set(re.findall(rf"`{PREFIX}(\w+)`", DOCUMENT.read_text(encoding="utf-8")))
    assert documented == {fault.value for fault in Fault}
