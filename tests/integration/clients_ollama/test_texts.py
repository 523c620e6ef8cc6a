"""The `ollama` package asks for texts: generate and chat, streamed and not, and what it is refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import ollama
import pytest

from tests.daemon_process import DaemonProcess
from tests.integration.clients_ollama.conftest import Keyed
from tests.scripted_engine import DONE, ScriptedEngine, piece, say

SMALL = "smollm2-135m"
FEW = {"num_predict": 8, "temperature": 0}
HI = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
}


def test_generate_gives_text_context_and_figures(client: ollama.Client) -> None:
    found = client.generate(SMALL, "Say hello.", options=FEW)
    assert found.model == SMALL
    assert found.done is True
    assert found.response
    assert found.context
    assert found.done_reason in ("stop", "length")
    assert 0 < (found.eval_count or 0) <= 8
    assert (found.total_duration or 0) >= (found.eval_duration or 0) > 0
    assert (found.prompt_eval_count or 0) > 0


def test_generate_streams_the_same_text(client: ollama.Client) -> None:
    whole = client.generate(SMALL, "Say hello.", options=FEW)
    *lines, last = client.generate(SMALL, "Say hello.", options=FEW, stream=True)
    assert len(lines) > 1
    assert "".join(line.response or "" for line in lines) == whole.response
    assert [line.done for line in lines] == [False] * len(lines)
    assert (last.done, last.done_reason, last.context) == (True, whole.done_reason, whole.context)


def test_generate_goes_on_from_a_context(client: ollama.Client) -> None:
    first = client.generate(SMALL, "My name is Ada.", options=FEW)
    second = client.generate(SMALL, "What is my name?", context=first.context, options=FEW)
    assert (second.prompt_eval_count or 0) > (first.prompt_eval_count or 0)


def test_a_raw_prompt_has_no_template_and_no_context(client: ollama.Client) -> None:
    raw = client.generate(SMALL, "One two three", raw=True, options=FEW)
    told = client.generate(SMALL, "One two three", options=FEW)
    assert (raw.prompt_eval_count or 0) < (told.prompt_eval_count or 0)
    assert raw.context is None


def test_a_template_of_the_requests_own_stands_around_the_prompt(client: ollama.Client) -> None:
    own = client.generate(SMALL, "One two three", template="{{ .Prompt }}", options=FEW)
    raw = client.generate(SMALL, "One two three", raw=True, options=FEW)
    assert own.prompt_eval_count == raw.prompt_eval_count


def test_chat_gives_a_message(client: ollama.Client) -> None:
    found = client.chat("qwen2-7b", HI, options=FEW)
    assert found.model == "qwen2-7b"  # as it was asked for, though it is an alias
    assert found.message.role == "assistant"
    assert found.message.content
    assert found.done_reason in ("stop", "length")


def test_chat_streams_the_same_text(client: ollama.Client) -> None:
    whole = client.chat(SMALL, HI, options=FEW)
    *lines, last = client.chat(SMALL, HI, options=FEW, stream=True)
    assert "".join(line.message.content or "" for line in lines) == whole.message.content
    assert {line.message.role for line in lines} == {"assistant"}
    assert last.eval_count == whole.eval_count


def test_an_answer_that_was_begun_is_gone_on_with(client: ollama.Client) -> None:
    begun = [*HI, {"role": "assistant", "content": "The first three letters are A, B,"}]
    found = client.chat(SMALL, begun, options={"num_predict": 3, "temperature": 0})
    assert "C" in (found.message.content or "")


def test_an_engines_tag_is_a_name_too(client: ollama.Client) -> None:
    assert client.chat("smollm2:135m", HI, options=FEW).model == "smollm2:135m"


def test_without_a_choice_the_answer_says_which_model_wrote(client: ollama.Client) -> None:
    assert client.chat("auto", HI, options=FEW).model == SMALL


def test_a_schema_is_followed(client: ollama.Client) -> None:
    found = client.chat(SMALL, HI, format=SCHEMA, options={"num_predict": 40, "temperature": 0})
    assert list(json.loads(found.message.content or "")) == ["city"]


def test_logprobs_are_those_of_the_text(client: ollama.Client) -> None:
    found = client.chat(SMALL, HI, logprobs=True, top_logprobs=2, options=FEW)
    assert found.logprobs
    assert "".join(each.token for each in found.logprobs).startswith(found.message.content or "-")
    assert all(len(each.top_logprobs or ()) == 2 for each in found.logprobs)
    streamed = list(client.chat(SMALL, HI, logprobs=True, options=FEW, stream=True))
    assert sum(len(line.logprobs or ()) for line in streamed) == len(found.logprobs)


def test_options_reach_the_engine(client: ollama.Client) -> None:
    one = client.generate(SMALL, "Count.", options={"seed": 7, "temperature": 1.5, "num_predict": 12})
    two = client.generate(SMALL, "Count.", options={"seed": 7, "temperature": 1.5, "num_predict": 12})
    assert one.response == two.response
    assert client.generate(SMALL, "Count.", options={"num_predict": 2}).eval_count == 2


def test_everything_that_the_package_can_say_is_taken(client: ollama.Client) -> None:
    loading = {"num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread"}
    said = dict.fromkeys(ollama.Options.model_fields) | FEW
    said |= {"numa": False, "mirostat": 0, "tfs_z": 1.0, "penalize_newline": True, "stop": ["###"]}
    assert loading < said.keys()
    found = client.generate(SMALL, "Hi", options=said, think=False, keep_alive="1h", system="Be brief.")
    assert found.done is True


def test_no_bound_on_tokens_is_the_most_that_is_allowed(
    scripted: ScriptedEngine, scripted_client: ollama.Client
) -> None:
    scripted_client.chat(SMALL, HI, options={"num_predict": -1})
    assert scripted.asked()[0]["options"]["num_predict"] == 2000


def test_tools_are_offered_and_their_calls_come_back(
    scripted: ScriptedEngine, scripted_client: ollama.Client
) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    called = {"function": {"name": "add", "arguments": {"a": 1, "b": 2}}}
    line = {"message": {"role": "assistant", "content": "", "tool_calls": [called]}, "done": False}
    scripted.scripts = [[say(line), say(DONE)]]
    found = scripted_client.chat(SMALL, HI, tools=[add])
    assert found.message.tool_calls
    assert found.message.tool_calls[0].function.arguments == {"a": 1, "b": 2}
    assert scripted.asked()[0]["tools"][0]["function"]["name"] == "add"
    talk: list[Any] = [*HI, found.message, {"role": "tool", "content": "3", "tool_name": "add"}]
    (first, _last) = scripted_client.chat(SMALL, talk, tools=[add], stream=True)
    assert first.message.tool_calls
    assert scripted.asked()[1]["messages"][1]["tool_calls"][0]["function"] == called["function"]
    assert scripted.asked()[1]["messages"][2] == {"role": "tool", "content": "3", "tool_name": "add"}


def test_thinking_comes_apart_from_the_text(scripted: ScriptedEngine, scripted_client: ollama.Client) -> None:
    thought = {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False}
    scripted.scripts = [[say(thought, piece("Yes.")), say(DONE)]]
    found = scripted_client.chat(SMALL, HI, think=True)
    assert (found.message.thinking, found.message.content) == ("Hm.", "Yes.")
    assert scripted.asked()[0]["think"] is True


def refusal(client: ollama.Client, **said: object) -> ollama.ResponseError:
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(**{"model": SMALL, "messages": HI, "options": FEW, **said})  # type: ignore[call-overload]
    return caught.value


def test_an_unknown_model_is_not_found(client: ollama.Client) -> None:
    error = refusal(client, model="gpt-4")
    assert error.status_code == 404
    assert "'gpt-4'" in error.error


def test_a_prompt_that_does_not_fit_is_refused_with_its_numbers(client: ollama.Client) -> None:
    error = refusal(client, messages=[{"role": "user", "content": "word " * 700}])
    assert error.status_code == 400
    assert "the model's context holds 512" in error.error
    with pytest.raises(ollama.ResponseError, match="512") as caught:
        client.generate(SMALL, "word " * 700, options=FEW)
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_ctx": 4096}, "options.num_ctx"),
        ({"temperature": "hot"}, "options.temperature"),
        ({"num_predict": 10**6}, "limits.max_tokens"),
        ({"top_q": 1}, "options.top_q: unknown field; did you mean `options.top_p`?"),
    ],
)
def test_an_option_that_cannot_hold_is_refused(
    client: ollama.Client, options: dict[str, object], said: str
) -> None:
    error = refusal(client, options=options)
    assert error.status_code == 400
    assert said in error.error


def test_what_the_model_cannot_do_is_the_callers_fault(client: ollama.Client) -> None:
    error = refusal(client, think=True)
    assert error.status_code == 400
    assert "does not support thinking" in error.error


def test_a_template_that_is_none_is_the_callers_fault(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="template: ") as caught:
        client.generate(SMALL, "Hi", template="{{ if }", options=FEW)
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        {"context": [-1]},
        {"context": [10**9]},
        {"template": "{{ index .Messages 5 }}"},
        {"images": ["aGk="]},
        {"options": {"repeat_penalty": 0.0}},
        {"options": {"repeat_last_n": -5}},
        {"options": {"num_keep": -9}},
        {"format": {"type": "unheard of"}},
        {"suffix": "behind"},
        {"think": True},
    ],
    ids=str,
)
def test_what_the_engine_cannot_do_with_a_request_is_no_failure_of_the_model(
    client: ollama.Client, asked: dict[str, Any]
) -> None:
    body = {"model": SMALL, "prompt": "Hi", "stream": False, "options": FEW} | asked
    assert client._client.post("/api/generate", json=body).status_code == 400


def test_a_stream_that_is_cut_ends_with_an_error(client: ollama.Client) -> None:
    lines = iter(client.generate(SMALL, "DIRTY", options=FEW, stream=True))
    assert next(lines).response
    with pytest.raises(ollama.ResponseError, match="without saying that it is done"):
        list(lines)


def test_a_kept_answer_says_so(keyed: Keyed) -> None:
    first = keyed.shop._client.post("/api/chat", json={"messages": HI, "options": FEW, "stream": False})
    again = keyed.shop._client.post("/api/chat", json={"messages": HI, "options": FEW, "stream": False})
    assert "cached" not in first.json()
    assert again.json()["cached"] is True
    assert again.json()["message"] == first.json()["message"]


def test_curl_needs_no_media_type_but_a_page_in_a_browser_does(daemon: DaemonProcess) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = json.dumps({"prompt": "Hi", "options": {"num_predict": 1}, "stream": False})
    url = daemon.url + "/api/generate"
    assert httpx.post(url, content=body, headers=form, trust_env=False, timeout=60).status_code == 200
    from_a_page = form | {"Origin": "https://example.com"}
    assert httpx.post(url, content=body, headers=from_a_page, trust_env=False, timeout=60).status_code == 415


def test_the_figures_of_the_way_are_logged(client: ollama.Client, daemon: DaemonProcess) -> None:
    client.chat("qwen2-7b", HI, options=FEW)
    line = daemon.wait_for_log(route="/api/chat", requested_model="qwen2-7b", code="OK")
    assert line["model"] == SMALL
    assert line["completion_tokens"] > 0
