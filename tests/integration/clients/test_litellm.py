"""LiteLLM as a client, with its provider for what speaks OpenAI's API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon_process import DaemonProcess
from tests.integration.clients.conftest import NAME, calls
from tests.scripted_engine import DONE, ScriptedEngine, say

if TYPE_CHECKING:
    from types import ModuleType

MODEL = f"openai/{NAME}"
HELLO = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def litellm() -> ModuleType:
    import litellm

    litellm.telemetry = False
    return litellm


def common(daemon: DaemonProcess) -> dict[str, Any]:
    return {"api_base": f"{daemon.url}/v1", "api_key": "none", "num_retries": 0, "max_retries": 0}


def test_a_chat_is_asked_whole_and_streamed(litellm: ModuleType, daemon: DaemonProcess) -> None:
    wanted = {"model": MODEL, "messages": HELLO, "max_tokens": 12, "temperature": 0, **common(daemon)}
    whole = litellm.completion(**wanted)
    assert whole.usage.total_tokens > whole.usage.prompt_tokens > 0
    chunks = list(litellm.completion(**wanted, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_tools_are_called_and_answered(
    litellm: ModuleType, scripted_daemon: DaemonProcess, scripted: ScriptedEngine
) -> None:
    scripted.scripts = [[say(calls("weather", city="Paris")), say(DONE)]]
    wanted = {"model": MODEL, "tools": [WEATHER], **common(scripted_daemon)}
    message = litellm.completion(messages=HELLO, **wanted).choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    litellm.completion(messages=[*HELLO, message, result], **wanted)
    assert scripted.asked()[1]["messages"][2]["content"] == "sunny"


def test_an_object_is_json(litellm: ModuleType, daemon: DaemonProcess) -> None:
    found = litellm.completion(
        model=MODEL,
        messages=[{"role": "user", "content": 'Answer with JSON like {"a": 1}.'}],
        response_format={"type": "json_object"},
        max_tokens=100,
        temperature=0,
        **common(daemon),
    )
    assert isinstance(json.loads(found.choices[0].message.content), dict)


def test_a_completion_is_asked(litellm: ModuleType, daemon: DaemonProcess) -> None:
    found = litellm.text_completion(
        model=f"text-completion-openai/{NAME}", prompt="One two", max_tokens=4, **common(daemon)
    )
    assert found.choices[0].text


def test_texts_become_vectors(litellm: ModuleType, daemon: DaemonProcess) -> None:
    found = litellm.embedding(model="openai/embedder", input=["Good morning", "Bom dia"], **common(daemon))
    assert [each["index"] for each in found.data] == [0, 1]


def test_a_response_is_asked(litellm: ModuleType, daemon: DaemonProcess) -> None:
    found = litellm.responses(model=MODEL, input="Say hello.", max_output_tokens=12, **common(daemon))
    assert found.output[0].content[0].text


def test_errors_are_the_packages_own(litellm: ModuleType, daemon: DaemonProcess) -> None:
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(model="openai/gpt-none", messages=HELLO, **common(daemon))
    long = [{"role": "user", "content": "many words " * 600}]
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(model=MODEL, messages=long, **common(daemon))
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(model=MODEL, messages=HELLO, n=2, **common(daemon))
