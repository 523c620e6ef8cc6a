"""What is asked of the engine, and what its answers become."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ia0_daemon.engine.answer import Answer
from ia0_daemon.engine.client import EngineClient, Question
from ia0_daemon.engine.messages import EMBED, Message
from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.engine.wire import FRESH_S, Wire
from ia0_daemon.errors import (
    AnswerAborted,
    CallerGone,
    EngineError,
    EngineInterrupted,
    EngineTimeout,
    ModelUnavailable,
    ServiceError,
)
from ia0_daemon.settings.schema import Engine
from ia0_daemon.settings.units import KeepAlive, Seconds
from tests.fakes import MODEL, FakeControl, bounded
from tests.scripted_engine import (
    TAG,
    ScriptedEngine,
    Step,
    cut,
    json_body,
    piece,
    raw,
    say,
    status,
    until,
    whole,
)

QUESTION = Question(MODEL, [Message("user", "Say hello.")], {"temperature": 0.5, "num_predict": 9})
EMBEDDING = Question(MODEL, [], path=EMBED, fields={"input": ["a", "bc"], "stream": False})
VECTORS = {"embeddings": [[1.0], [0.5]], "prompt_eval_count": 4}
SILENCE = until(threading.Event())


def ask(client: EngineClient, patience: Patience) -> tuple[str, Answer]:
    answer = client.answer(QUESTION, patience)
    try:
        return "".join(answer.texts()), answer
    finally:
        answer.close()


def failure(client: EngineClient, engine: ScriptedEngine, *script: Step) -> ServiceError:
    engine.scripts = [list(script)]
    with pytest.raises(ServiceError) as caught:
        ask(client, bounded(30))
    return caught.value


def test_texts_and_figures_come_through(client: EngineClient, patience: Patience) -> None:
    text, answer = ask(client, patience)
    assert text == "Hello world"
    assert answer.last is not None
    assert (answer.last.prompt_eval_count, answer.last.eval_count, answer.last.done_reason) == (7, 3, "stop")


def test_the_callers_request_id_goes_along_and_what_the_daemon_asks_for_itself_has_none(
    client: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    engine.loaded = []
    client.load(MODEL, patience)
    client.answer(replace(QUESTION, request_id="order-7"), patience).close()
    client.answer(QUESTION, patience).close()
    assert engine.request_ids == [None, "order-7", None]


def test_a_probe_asks_for_one_token_with_the_models_own_options_and_keeps_it_no_longer(
    client: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    before = client.progress.alive_at(TAG)
    client.write_one_token(MODEL, 77, patience, 5)
    (asked,) = engine.received
    assert asked["options"] == {"num_predict": 1, "temperature": 0, "num_ctx": 512}
    assert (asked["model"], asked["keep_alive"], asked["shift"]) == (TAG, 77, False)
    assert client.progress.alive_at(TAG) > before
    assert client.progress.silences() == {}


def test_a_probe_that_is_not_answered_is_a_timeout(client: EngineClient, engine: ScriptedEngine) -> None:
    engine.scripts = [[SILENCE]]
    with pytest.raises(EngineTimeout, match=r"restart\.probe_timeout_s"):
        client.write_one_token(MODEL, 77, bounded(30), 0.2)
    assert client.progress.silences() == {}


def test_what_is_sent(client: EngineClient, engine: ScriptedEngine, patience: Patience) -> None:
    ask(client, patience)
    assert engine.received == [
        {
            "model": TAG,
            "messages": [{"role": "user", "content": "Say hello."}],
            "options": {"temperature": 0.5, "num_predict": 9, "num_ctx": 512},
            "keep_alive": "30m",
            "stream": True,
            "truncate": False,
            "shift": False,
        }
    ]


@pytest.mark.parametrize(("said", "sent"), [("-1", -1), ("0", 0), ("600", 600), ("1h30m", "1h30m")])
def test_keep_alive_is_a_number_where_it_is_one(
    wire: Wire, watch: EngineWatch, engine: ScriptedEngine, patience: Patience, said: str, sent: object
) -> None:
    ask(EngineClient(wire, watch, Engine(keep_alive=KeepAlive(said))), patience)
    assert engine.received[0]["keep_alive"] == sent


def test_a_loaded_model_is_never_loaded(
    client: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    for _ in range(2):
        ask(client, patience)
    assert len(engine.received) == len(engine.asked()) == 2


def test_a_model_that_is_not_loaded_is_loaded_first_and_once(
    client: EngineClient, engine: ScriptedEngine, patience: Patience, watch: EngineWatch
) -> None:
    watch.forget_loaded()
    for _ in range(2):
        ask(client, patience)
    assert [len(body["messages"]) for body in engine.received] == [0, 1, 1]


def test_loading_says_the_runner_options_of_the_answers(
    client: EngineClient, engine: ScriptedEngine, patience: Patience, watch: EngineWatch
) -> None:
    watch.forget_loaded()
    ask(client, patience)
    load, chat = engine.received

    def runner(body: dict[str, Any]) -> tuple[Any, ...]:
        return body["model"], body["options"]["num_ctx"], body["shift"], body["keep_alive"]

    assert runner(load) == runner(chat)


def test_the_first_token_has_a_bound_that_grows_with_the_prompt(
    wire: Wire, watch: EngineWatch, engine: ScriptedEngine
) -> None:
    client = EngineClient(
        wire,
        watch,
        Engine(first_token_timeout_s=Seconds(0.1), first_token_per_1k_chars_s=Seconds(0.1)),
    )
    engine.scripts = [[SILENCE]]
    with pytest.raises(EngineTimeout) as caught:
        client.answer(Question(MODEL, [Message("user", "x" * 2000)]), Patience(bool))
    assert caught.value.details == {
        "bound": "first_token",
        "limit_s": pytest.approx(0.3),
        "setting": "engine.first_token_timeout_s",
    }


def test_loading_has_a_bound_of_its_own(wire: Wire, engine: ScriptedEngine) -> None:
    watch = EngineWatch(FakeControl(models=[]), 60)
    client = EngineClient(wire, watch, Engine(load_timeout_s=Seconds(0.1)))
    engine.load_script = [SILENCE]
    with pytest.raises(EngineTimeout, match=r"loading the model; engine\.load_timeout_s"):
        client.answer(QUESTION, Patience(bool))
    assert not watch.is_loaded(TAG)


def test_silence_between_tokens_is_bounded(impatient: EngineClient, engine: ScriptedEngine) -> None:
    error = failure(impatient, engine, say(piece("one")), SILENCE)
    assert error.details["bound"] == "between_tokens"
    assert engine.hung_up.get(timeout=30)


def test_each_token_renews_the_bound_between_tokens(
    wire: Wire, watch: EngineWatch, engine: ScriptedEngine, patience: Patience
) -> None:
    client = EngineClient(wire, watch, Engine(timeout_s=Seconds(4)))

    def pause(reply: object) -> None:
        threading.Event().wait(0.9)  # five times, longer than the bound; each far within it

    engine.scripts = [[step for _ in range(5) for step in (say(piece("x")), pause)] + whole()]
    assert ask(client, patience)[0] == "xxxxx"


@pytest.mark.parametrize("script", [[say(piece("one"))], [raw(b"")], [say(piece("one")), raw(b"")]])
def test_an_end_without_done_is_an_error(
    client: EngineClient, engine: ScriptedEngine, script: list[Step]
) -> None:
    error = failure(client, engine, *script)
    assert isinstance(error, EngineError)
    assert "without saying that it is done" in error.message


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([" "] * 15 + ["\n"] * 15, AnswerAborted),
        (["ha"] * 29, EngineError),
        ([*["ha"] * 29, "!"], EngineError),
    ],
)
def test_an_end_without_done_behind_one_token_again_and_again_is_for_its_text(
    client: EngineClient, engine: ScriptedEngine, texts: list[str], kind: type[EngineError]
) -> None:
    error = failure(client, engine, say(piece("So")), say(*map(piece, texts)))
    assert type(error) is kind
    assert "without saying that it is done" in str(error)


def test_an_error_line_ends_the_answer(client: EngineClient, engine: ScriptedEngine) -> None:
    error = failure(
        client, engine, say(piece("one")), say({"error": "model runner has unexpectedly stopped"})
    )
    assert isinstance(error, EngineError)
    assert error.details["engine_error"] == "model runner has unexpectedly stopped"


@pytest.mark.parametrize("line", [b"<html>\n", b'{"message": 3}\n', b'{"done": "yes"}\n', b"\xff\n"])
def test_a_line_of_garbage_is_an_error(client: EngineClient, engine: ScriptedEngine, line: bytes) -> None:
    error = failure(client, engine, raw(line))
    assert isinstance(error, EngineError)
    assert "is not what Ollama's API says" in error.message


def test_a_cut_is_an_error_and_makes_the_model_unknown(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch
) -> None:
    assert isinstance(failure(client, engine, say(piece("one")), cut), EngineError)
    assert not watch.is_loaded(TAG)


@pytest.mark.parametrize(
    "script",
    [
        [status(500, "template: :1: unexpected EOF")],
        [say({"error": "prediction aborted, token repeat limit reached"})],
    ],
    ids=["a wrong template", "a text that repeats itself"],
)
def test_what_says_nothing_of_the_model_has_nothing_loaded_again(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch, script: list[Step]
) -> None:
    failure(client, engine, *script)
    assert watch.is_loaded(TAG)


@pytest.mark.parametrize("script", [[cut], [status(500, "the runner died")], [say({"error": "it died"})]])
def test_after_a_failure_of_the_engine_the_model_is_loaded_again(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch, script: list[Step]
) -> None:
    failure(client, engine, *script)
    assert not watch.is_loaded(TAG)


def test_a_full_queue_leaves_the_model_loaded(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch
) -> None:
    failure(client, engine, status(503, "server busy, please try again.  maximum pending requests exceeded"))
    assert watch.is_loaded(TAG)


def test_a_restarted_engine_gets_the_model_loaded_first(
    client: EngineClient, engine: ScriptedEngine, patience: Patience, wire: Wire
) -> None:
    def end(reply: Any) -> None:
        reply.handler.close_connection = True

    engine.scripts = [[*whole("one"), end], whole("two")]
    ask(client, patience)
    engine.wait_closed()
    time.sleep(FRESH_S)  # no engine is there again in less
    assert ask(client, patience)[0] == "two"
    assert [len(body["messages"]) for body in engine.received] == [1, 0, 1]


def test_a_model_that_is_missing_is_unavailable(client: EngineClient, engine: ScriptedEngine) -> None:
    error = failure(client, engine, status(404, f'model "{TAG}" not found, try pulling it first'))
    assert isinstance(error, ModelUnavailable)


@pytest.mark.parametrize("early", [[], [say(piece("one"))]])
def test_a_caller_who_left_frees_the_engine(
    client: EngineClient, engine: ScriptedEngine, early: list[Step]
) -> None:
    engine.scripts = [[*early, SILENCE]]
    with pytest.raises(CallerGone):
        ask(client, Patience(lambda: True))
    assert engine.hung_up.get(timeout=30)


def test_an_answer_that_never_ends_after_done_is_not_waited_for(
    client: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    engine.scripts = [[*whole("one"), SILENCE], whole("two")]
    assert ask(client, patience)[0] == "one"
    assert engine.hung_up.get(timeout=30)
    assert ask(client, patience)[0] == "two"


def test_what_is_answered_in_one_piece_comes_whole(
    client: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    engine.scripts = [[json_body(VECTORS)]]
    assert msgspec.json.decode(client.ask_whole(EMBEDDING, patience)) == VECTORS
    assert (engine.received[-1]["input"], engine.received[-1]["truncate"]) == (["a", "bc"], False)
    assert client.progress.silences() == {}


def test_a_loaded_model_is_not_loaded_beforehand_where_it_is_asked_for_the_other_kind(
    client: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    engine.scripts = [[json_body(VECTORS)], whole("Hello"), [json_body(VECTORS)]]
    client.ask_whole(EMBEDDING, patience)
    ask(client, patience)
    client.ask_whole(EMBEDDING, patience)
    assert [body.get("messages", body.get("input")) == [] for body in engine.received] == [False] * 3


def test_a_model_that_is_not_loaded_is_loaded_for_vectors_first_and_once(
    wire: Wire, engine: ScriptedEngine, patience: Patience
) -> None:
    client = EngineClient(wire, EngineWatch(FakeControl(models=[]), 60), Engine())
    engine.scripts = [[json_body(VECTORS)] for _ in range(3)]
    for _ in range(2):
        client.ask_whole(EMBEDDING, patience)
    assert [body["input"] == [] for body in engine.received] == [True, False, False]


def test_what_loads_a_model_for_the_other_kind_has_the_bound_of_loading_and_the_next_has_not(
    wire: Wire, watch: EngineWatch, engine: ScriptedEngine
) -> None:
    bounds = Engine(load_timeout_s=Seconds(0.3), first_token_timeout_s=Seconds(0.1))
    client = EngineClient(wire, watch, bounds)
    engine.scripts = [[SILENCE], [json_body(VECTORS)], [SILENCE], [SILENCE]]
    assert _bound_of(lambda: client.ask_whole(EMBEDDING, Patience(bool))) == "load"
    client.ask_whole(EMBEDDING, bounded(30))
    assert _bound_of(lambda: client.ask_whole(EMBEDDING, Patience(bool))) == "first_token"
    assert _bound_of(lambda: client.answer(QUESTION, Patience(bool))) == "load"


def _bound_of(asking: Callable[[], object]) -> object:
    with pytest.raises(EngineTimeout) as caught:
        asking()
    return caught.value.details["bound"]


@pytest.mark.parametrize("script", [[cut], [raw(b'{"embeddings"'), cut]], ids=["before", "within"])
def test_a_body_that_is_cut_may_be_asked_for_again(
    client: EngineClient, engine: ScriptedEngine, watch: EngineWatch, patience: Patience, script: list[Step]
) -> None:
    engine.scripts = [script]
    with pytest.raises(EngineInterrupted):
        client.ask_whole(EMBEDDING, patience)
    assert not watch.is_loaded(TAG)
    assert client.progress.silences() == {}


def test_silence_before_a_body_is_bounded_and_makes_the_model_doubted(
    impatient: EngineClient, engine: ScriptedEngine, patience: Patience
) -> None:
    engine.scripts = [[raw(b"{"), SILENCE]]
    with pytest.raises(EngineTimeout) as caught:
        impatient.ask_whole(EMBEDDING, patience)
    assert caught.value.details["bound"] == "between_tokens"
    assert impatient.progress.is_doubted(TAG)


def test_every_text_counts_for_the_bound_of_the_first_token() -> None:
    assert EMBEDDING.chars() == 3
