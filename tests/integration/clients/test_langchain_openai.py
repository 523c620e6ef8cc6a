"""LangChain's OpenAI classes, as they are, in front of a daemon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from openai import DefaultHttpxClient, NotFoundError
from pydantic import BaseModel

from tests.daemon_process import DaemonProcess
from tests.integration.clients.conftest import NAME, calls
from tests.scripted_engine import DONE, ScriptedEngine, piece, say


class City(BaseModel):
    """A city."""

    name: str
    is_capital: bool


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.fixture
def http() -> Iterator[DefaultHttpxClient]:
    with DefaultHttpxClient(trust_env=False) as client:
        yield client


def common(daemon: DaemonProcess, http: DefaultHttpxClient) -> Any:
    return {"base_url": f"{daemon.url}/v1", "api_key": "none", "max_retries": 0, "http_client": http}


@pytest.fixture
def chat(daemon: DaemonProcess, http: DefaultHttpxClient) -> ChatOpenAI:
    return ChatOpenAI(model=NAME, temperature=0, max_tokens=40, seed=1, **common(daemon, http))


@pytest.fixture
def scripted_chat(scripted_daemon: DaemonProcess, http: DefaultHttpxClient) -> ChatOpenAI:
    return ChatOpenAI(model=NAME, **common(scripted_daemon, http))


def test_a_chat_is_invoked_and_streamed(chat: ChatOpenAI) -> None:
    messages = [SystemMessage("Be short."), HumanMessage("Say hello.")]
    whole = chat.invoke(messages)
    assert whole.content
    assert whole.usage_metadata is not None
    chunks = list(chat.stream(messages, stream_usage=True))
    assert "".join(str(chunk.content) for chunk in chunks) == whole.content
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usages == [whole.usage_metadata]


def test_a_structured_answer_is_of_its_class(chat: ChatOpenAI) -> None:
    asked = chat.with_structured_output(City, method="json_schema")
    assert isinstance(asked.invoke("Tell of Paris as JSON."), City)


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_and_answered(
    scripted_chat: ChatOpenAI, scripted: ScriptedEngine, streamed: bool
) -> None:
    scripted.scripts = [[say(calls("weather", city="Paris")), say(DONE)], [say(piece("Sunny.")), say(DONE)]]
    bound = scripted_chat.bind_tools([weather])
    if streamed:
        first, *rest = bound.stream("And Paris?")
        for chunk in rest:
            first += chunk
    else:
        first = bound.invoke("And Paris?")
    assert isinstance(first, AIMessage)
    (call,) = first.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Paris"})
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage)
    again = bound.invoke([HumanMessage("And Paris?"), first, result])
    assert again.content == "Sunny."
    assert scripted.asked()[1]["messages"][2]["content"] == "sunny in Paris"


def test_the_responses_route_is_invoked_and_streamed(daemon: DaemonProcess, http: DefaultHttpxClient) -> None:
    chat = ChatOpenAI(
        model=NAME, temperature=0, max_tokens=30, use_responses_api=True, **common(daemon, http)
    )
    whole = chat.invoke("Say hello.")
    assert whole.text
    assert "".join(chunk.text for chunk in chat.stream("Say hello.")) == whole.text


def test_a_completion_is_invoked_and_streamed(daemon: DaemonProcess, http: DefaultHttpxClient) -> None:
    asked = OpenAI(model=NAME, temperature=0, max_tokens=8, **common(daemon, http))
    assert asked.invoke("The capital of France is") == "".join(asked.stream("The capital of France is"))


def test_documents_and_queries_become_vectors(daemon: DaemonProcess, http: DefaultHttpxClient) -> None:
    found = OpenAIEmbeddings(model="embedder", check_embedding_ctx_length=False, **common(daemon, http))
    one, other = found.embed_documents(["Good morning", "Bom dia"])
    assert len(one) == len(other) == len(found.embed_query("Good morning"))
    assert found.embed_query("Good morning") == pytest.approx(one)


def test_errors_are_the_packages_own(daemon: DaemonProcess, http: DefaultHttpxClient) -> None:
    chat = ChatOpenAI(model="gpt-4o", **common(daemon, http))
    with pytest.raises(NotFoundError):
        chat.invoke("Hi")
