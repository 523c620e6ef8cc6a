"""Answers that go wrong, and how Ollama says so."""

from __future__ import annotations

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from pathlib import Path

import psutil
import pytest

from tests.conformance.conftest import Starter
from tests.conformance.target import Target, cpu_seconds, wait_until

sentence = pytest.mark.sentence
needs = pytest.mark.needs

STOPPED = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error,"
    " check ollama server logs for details"
)
MIDWAY = "an error was encountered while running the model: "
# An engine that is told to end cuts its connections at once; a busy machine takes longer. In seconds.
ENDS_WITHIN_S = 60
SHORT = {"num_predict": 8, "temperature": 0}
# Forces one token again and again: JSON whose only text is a long run of one letter.
REPEATED = {"type": "string", "pattern": "^(a ){400}$"}


@sentence("errors.runner-died-midway", "errors.in-a-stream", "standin.7-broken-answers")
@needs("process")
def test_a_child_that_dies_midway_is_an_error_line(engine: Target) -> None:
    engine.load()
    (runner,) = engine.runners()
    with engine.client.open("/api/generate", engine.endless()) as stream:
        assert stream.status == 200
        stream.take(3)
        runner.send_signal(signal.SIGKILL)
        *_, last = stream.lines()
    assert list(last) == ["error"]
    assert last["error"].startswith(MIDWAY)


@sentence("errors.runner-stopped", "errors.shape", "standin.7-broken-answers")
@needs("start")
def test_a_child_that_does_not_answer_any_more_is_500(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_DIE_AFTER_TOKENS="0")
    answer = engine.generate(options=SHORT)
    assert answer.status == 500
    assert answer.error().startswith(STOPPED)


@sentence("errors.runner-stopped", "errors.runner-died-midway", "errors.shape", "standin.7-broken-answers")
@needs("process")
def test_a_child_that_dies_while_it_reads_the_prompt_is_500(engine: Target) -> None:
    engine.load()
    (runner,) = engine.runners()
    prompt = " ".join(f"died{number % 10}" for number in range(700))
    begin = cpu_seconds(runner)
    # Without an end of its own: on a fast machine, or for a slow test, a short answer would be there already.
    asking = engine.endless(prompt=prompt, raw=True, stream=False)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.client.post, "/api/generate", asking)
        wait_until(lambda: cpu_seconds(runner) > begin + 0.3, "the prompt is being read")
        runner.kill()
        answer = asked.result()
    assert answer.status == 500
    # Which of the two depends on whether llama-server had sent its headers already.
    assert answer.error().startswith((STOPPED, MIDWAY))


@sentence("errors.runner-died-midway")
@needs("process")
def test_after_a_child_has_died_the_next_request_loads_anew(engine: Target) -> None:
    engine.load()
    (runner,) = engine.runners()
    runner.kill()
    assert engine.generate(options=SHORT).status == 200
    assert [one.pid for one in engine.runners()] != [runner.pid]


@sentence("errors.runner-terminated-at-start", "errors.shape")
@needs("start")
def test_a_child_that_ends_while_it_loads_is_500(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_LOAD_FAILS="1")
    answer = engine.generate(options=SHORT)
    assert answer.status == 500
    assert re.match(r"llama-server process has terminated: exit status \d+: ", answer.error())
    assert engine.loaded() is None


@sentence("errors.load-timeout", "environment.load-timeout", "errors.shape")
@needs("start")
def test_loading_that_takes_too_long_is_500(start_engine: Starter) -> None:
    engine = start_engine(OLLAMA_LOAD_TIMEOUT="1s", IA0_ENGINE_FAULT_SLOW_LOAD_S="30")
    answer = engine.generate(options=SHORT)
    assert answer.status == 500
    assert answer.error().startswith("timed out waiting for llama-server to start - ")
    wait_until(lambda: not engine.runners(), "the child that did not load is gone")


@sentence("errors.dirty-end", "errors.in-a-stream", "standin.7-broken-answers")
@needs("start")
def test_a_stream_may_end_cleanly_without_done(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_NO_DONE_AFTER_TOKENS="3")
    with engine.client.open("/api/generate", engine.endless()) as stream:
        assert stream.status == 200
        lines = list(stream.lines())
    assert lines
    assert all(line["done"] is False and "error" not in line for line in lines)


@sentence("errors.dirty-end-unstreamed", "standin.7-broken-answers")
@needs("start")
def test_unstreamed_it_is_200_with_done_false(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_NO_DONE_AFTER_TOKENS="3")
    answer = engine.generate(options=SHORT)
    assert (answer.status, answer.json()["done"]) == (200, False)
    assert answer.json()["response"]
    assert "done_reason" not in answer.json()


@sentence("errors.dirty-end")
def test_a_token_that_repeats_for_long_ends_the_answer_without_done(engine: Target) -> None:
    body = {"model": engine.model, "prompt": "a a a a", "format": REPEATED, "options": {"temperature": 0}}
    with engine.client.open("/api/generate", body) as stream:
        lines = list(stream.lines())
    # Until September 2026 a silent end after 30, since then an error line after 100.
    assert not lines[-1].get("done")
    if "error" in lines[-1]:
        assert lines[-1] == {"error": "prediction aborted, token repeat limit reached"}
    assert 30 <= len(lines) < 130


@sentence("errors.in-a-stream", "standin.7-broken-answers")
@needs("start")
def test_an_error_in_the_middle_is_a_last_line_of_a_200(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_ERROR_AFTER_TOKENS="3")
    with engine.client.open("/api/generate", engine.endless()) as stream:
        assert stream.status == 200
        *lines, last = stream.lines()
    assert lines
    assert list(last) == ["error"]


@sentence("standin.8-wedged")
@needs("start")
def test_a_wedged_engine_answers_everything_but_a_generation(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_WEDGE="1")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask_for_lines, engine)
        with pytest.raises(NotYetError):
            asked.result(timeout=2)
        assert engine.client.send("GET", "/").status == 200
        assert engine.client.get("/api/tags")["models"]
        assert engine.pid is not None
        psutil.Process(engine.pid).terminate()
        assert asked.result(timeout=ENDS_WITHIN_S) == []


def ask_for_lines(engine: Target) -> list[dict[str, object]]:
    """The lines of an answer, none where the connection is cut before one."""
    try:
        with engine.client.open("/api/generate", engine.endless()) as stream:
            return list(stream.lines())
    except OSError:
        return []


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@sentence("chat.tools", "chat.fields")
@needs("start")
@pytest.mark.parametrize("stream", [True, False])
def test_tools_are_answered_with_calls(start_engine: Starter, tmp_path: Path, stream: bool) -> None:
    call = {"name": "weather", "arguments": {"city": "Porto"}}
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"when": "Porto", "tool_calls": [call]}]), encoding="utf-8")
    engine = start_engine(IA0_ENGINE_FAULT_SCRIPT=str(script))
    question = {"role": "user", "content": "How is the weather in Porto?"}
    answer = engine.chat([question], tools=[WEATHER], stream=stream)
    *_, last = lines = answer.lines()
    assert last["done"] is True
    (made,) = [made for line in lines for made in line["message"].get("tool_calls", [])]
    assert (made["function"]["name"], made["function"]["arguments"]) == ("weather", {"city": "Porto"})
