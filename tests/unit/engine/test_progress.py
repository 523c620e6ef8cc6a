"""What is asked of a model and when it was last heard is known, and forgotten when nothing is asked."""

from __future__ import annotations

import threading

import msgspec
import pytest

from ia0_daemon.engine.client import EngineClient, Question
from ia0_daemon.engine.messages import Message
from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.progress import Progress
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.errors import EngineTimeout, ServiceError
from ia0_daemon.settings.units import Seconds
from tests.fakes import MODEL
from tests.scripted_engine import DONE, TAG, ScriptedEngine, Step, cut, piece, say, status, until, whole

QUESTION = Question(MODEL, [Message("user", "Say hello.")], {"num_predict": 9})


def told(progress: Progress) -> tuple[int, int]:
    silence = progress.silences()[TAG]
    return silence.asked, silence.writing


def test_nothing_asked_is_nothing_expected() -> None:
    assert Progress().silences() == {}


def test_who_asks_waits_and_who_has_had_a_token_is_written_to() -> None:
    progress = Progress()
    progress.ask(TAG)
    progress.ask(TAG)
    assert told(progress) == (2, 0)
    progress.begin(TAG)
    assert told(progress) == (2, 1)
    progress.end(TAG, wrote=True)
    assert told(progress) == (1, 0)
    progress.end(TAG, wrote=False)
    assert progress.silences() == {}


def test_each_token_is_heard_and_another_question_is_not() -> None:
    progress = Progress()
    progress.ask(TAG)
    asked = progress.silences()[TAG].since
    progress.ask(TAG)
    assert progress.silences()[TAG].since == asked
    progress.begin(TAG)
    begun = progress.silences()[TAG].since
    progress.heard(TAG)
    assert asked < begun < progress.silences()[TAG].since


def test_when_a_model_was_heard_is_known_after_its_answer() -> None:
    progress = Progress()
    never = progress.alive_at(TAG)
    progress.ask(TAG)
    progress.end(TAG, wrote=False)
    assert progress.alive_at(TAG) == never
    for hear in (progress.begin, progress.heard, progress.finished):
        before = progress.alive_at(TAG)
        progress.ask(TAG)
        hear(TAG)
        assert progress.alive_at(TAG) > before
    assert progress.alive_at("another") == never


def test_a_doubt_ends_with_the_next_token() -> None:
    progress = Progress()
    progress.doubt(TAG)
    assert (progress.is_doubted(TAG), progress.is_doubted("another")) == (True, False)
    progress.finished(TAG)
    assert not progress.is_doubted(TAG)


def test_who_waits_for_the_first_token_in_vain_doubts(client: EngineClient, engine: ScriptedEngine) -> None:
    engine.scripts = [[until(threading.Event())]]
    client._settings = msgspec.structs.replace(client._settings, first_token_timeout_s=Seconds(0.2))
    with pytest.raises(EngineTimeout):
        ask(client)
    assert client.progress.is_doubted(TAG)
    engine.scripts = [whole("one")]
    ask(client)
    assert not client.progress.is_doubted(TAG)


def test_models_are_told_apart() -> None:
    progress = Progress()
    progress.ask("a")
    progress.ask("b")
    progress.end("a", wrote=False)
    assert list(progress.silences()) == ["b"]


def test_an_answer_is_expected_from_the_question_to_the_close(
    client: EngineClient, patience: Patience, engine: ScriptedEngine
) -> None:
    engine.scripts = [whole("one", " two")]
    answer = client.answer(QUESTION, patience)
    assert told(client.progress) == (1, 0)
    for _ in answer.texts():
        assert told(client.progress) == (1, 1)
    for _ in range(2):
        answer.close()
        assert client.progress.silences() == {}


@pytest.mark.parametrize(
    "script", [[cut], [status(404, "not found")], [say(piece("one")), cut], [say({"error": "it died"})]]
)
@pytest.mark.parametrize("loaded", [True, False])
def test_however_it_ends_nothing_is_expected_afterwards(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch, script: list[Step], loaded: bool
) -> None:
    if not loaded:
        watch.forget_loaded()
        engine.load_script = script
    engine.scripts = [script]
    with pytest.raises(ServiceError):
        ask(client)
    assert client.progress.silences() == {}


def ask(client: EngineClient) -> int:
    patience = Patience(bool)
    answer = client.answer(QUESTION, patience)
    try:
        for _ in answer.texts():
            pass
        return answer.lines
    finally:
        answer.close()


def test_loading_is_no_writing(client: EngineClient, engine: ScriptedEngine, watch: EngineWatch) -> None:
    watch.forget_loaded()
    begun, go_on = threading.Event(), threading.Event()

    def load(reply: object) -> None:
        begun.set()
        assert go_on.wait(10)

    engine.load_script = [load, say({"done": True, "done_reason": "load"})]
    thread = threading.Thread(target=ask, args=(client,))
    thread.start()
    assert begun.wait(10)
    assert told(client.progress) == (1, 0)
    never = client.progress.alive_at(TAG)
    go_on.set()
    thread.join()
    assert client.progress.alive_at(TAG) > never  # of the answer that came after it


def test_loading_is_no_life(client: EngineClient) -> None:
    before = client.progress.alive_at(TAG)
    client.load(MODEL, Patience(bool))
    assert client.progress.alive_at(TAG) == before


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        (whole("one", " two"), 2),
        ([say(piece("one"), piece(" two"), piece(" three")), say(DONE)], 3),
        ([say(piece("one"), piece(""), DONE)], 1),
        ([say(piece("one")), say(DONE | {"message": {"content": " two"}})], 2),
        ([say(DONE)], 0),
    ],
    ids=["one a read", "several a read", "empty", "text in the last", "no text"],
)
def test_lines_with_text_are_counted_however_they_come(
    client: EngineClient, engine: ScriptedEngine, script: list[Step], lines: int
) -> None:
    engine.scripts = [script]
    assert ask(client) == lines
