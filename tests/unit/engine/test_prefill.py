"""How a model answers a prefill is found out once, of an engine that is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ia0_daemon.engine.client import EngineClient
from ia0_daemon.engine.messages import Message
from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.prefill import PREFILL, TRIAL_TOKENS, PrefillHabits
from ia0_daemon.errors import CallerGone, EngineAbsent, EngineInterrupted, EngineTimeout, ServiceError
from ia0_daemon.settings.schema import Model
from tests.fakes import MODEL
from tests.scripted_engine import ScriptedEngine, cut, whole

OTHER = Model(name="other", tag="other:1")
PATIENCE = Patience(bool)


class Engine:
    """Answers each trial with the next of its answers."""

    def __init__(self, *answers: str | ServiceError) -> None:
        self.answers = list(answers)
        self.habits = PrefillHabits(self.ask)
        self.asked: list[str] = []

    def ask(self, model: Model, messages: list[Message], tokens: int, patience: Patience) -> str:
        assert (messages[-1], tokens, patience) == (Message("assistant", PREFILL), TRIAL_TOKENS, PATIENCE)
        self.asked.append(model.tag)
        answer = self.answers.pop(0)
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def repeats(self, model: Model = MODEL) -> bool:
        return self.habits.repeats(model, PATIENCE)


@pytest.mark.parametrize(
    ("answer", "repeats"),
    [
        (f"{PREFILL} cook, boil at dawn", True),
        (f" {PREFILL}", True),
        (PREFILL[:20], True),
        (" cook, boil at dawn", False),
        ("Seventeen.", False),
        ("", False),
    ],
)
def test_an_answer_that_begins_with_the_prefill_repeats_it(answer: str, repeats: bool) -> None:
    assert Engine(answer).repeats() is repeats


def test_it_is_asked_once_for_each_model() -> None:
    engine = Engine(PREFILL, " cook")
    assert [engine.repeats(model) for model in (MODEL, OTHER, MODEL, OTHER)] == [True, False, True, False]
    assert engine.asked == [MODEL.tag, OTHER.tag]


def test_many_who_ask_at_once_wait_for_one_trial() -> None:
    engine = Engine(PREFILL)
    threads = [threading.Thread(target=engine.repeats) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.asked) == 1


class SlowEngine(Engine):
    """Answers a trial when the test says so."""

    def __init__(self, *answers: str | ServiceError) -> None:
        super().__init__(*answers)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def ask(self, model: Model, messages: list[Message], tokens: int, patience: Patience) -> str:
        self.begun.set()
        self.go_on.wait(30)
        return super().ask(model, messages, tokens, patience)


@pytest.fixture
def slow() -> Iterator[SlowEngine]:
    """One that is being asked by somebody else already."""
    engine = SlowEngine(EngineTimeout("silent"))
    first = threading.Thread(target=engine.repeats)
    first.start()
    engine.begun.wait(30)
    yield engine
    engine.go_on.set()
    first.join()


def test_who_waits_for_anothers_trial_may_hang_up(slow: SlowEngine) -> None:
    with pytest.raises(CallerGone):
        slow.habits.repeats(MODEL, Patience(lambda: True))


def test_who_waited_for_a_trial_that_failed_waits_for_no_other(slow: SlowEngine) -> None:
    looked = threading.Event()
    patience = Patience(lambda: bool(looked.set()))
    found: list[bool] = []
    waits = threading.Thread(target=lambda: found.append(slow.habits.repeats(MODEL, patience)))
    waits.start()
    looked.wait(30)
    slow.go_on.set()
    waits.join()
    assert (found, slow.asked) == ([False], [MODEL.tag])


def test_a_trial_that_fails_says_no_and_is_tried_again() -> None:
    engine = Engine(EngineTimeout("silent"), PREFILL)
    assert [engine.repeats(), engine.repeats()] == [False, True]


@pytest.mark.parametrize("error", [EngineInterrupted("cut"), EngineAbsent("refused"), CallerGone("left")])
def test_a_trial_that_could_not_be_made_says_nothing(error: ServiceError) -> None:
    engine = Engine(error, PREFILL)
    with pytest.raises(type(error)):
        engine.repeats()
    assert engine.repeats()


def test_the_trial_is_a_short_question_like_any_other(client: EngineClient, engine: ScriptedEngine) -> None:
    engine.scripts = [whole("Seventeen violet kettles", ", said the cook"), whole("never asked")]
    patience = Patience(bool)
    assert client.repeats_prefill(MODEL, patience)
    assert client.repeats_prefill(MODEL, patience)
    (asked,) = engine.asked()
    assert asked["messages"][-1] == {"role": "assistant", "content": PREFILL}
    assert asked["options"] == {"temperature": 0, "num_predict": TRIAL_TOKENS, "num_ctx": 512}
    assert client.progress.silences() == {}


def test_a_cut_trial_is_a_cut(client: EngineClient, engine: ScriptedEngine) -> None:
    engine.scripts = [[cut]]
    with pytest.raises(EngineInterrupted):
        client.repeats_prefill(MODEL, Patience(bool))
