"""LangChain's `langchain-ollama` as a client: chat, completion, streams, forms, tools, vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import ollama
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from pydantic import BaseModel

from tests.daemon_process import DaemonProcess
from tests.scripted_engine import DONE, ScriptedEngine, say

SMALL = "smollm2-135m"
Make = Callable[..., Any]


class City(BaseModel):
    """A city."""

    big: bool


@pytest.fixture
def made() -> Iterator[Make]:
    """Make one of LangChain's; what it leaves open is closed."""
    with ExitStack() as held:

        def make(kind: type[Any], url: str, **said: object) -> Any:
            one = kind(**{"model": SMALL, "base_url": url, "client_kwargs": {"trust_env": False}} | said)
            held.callback(one._client.close)
            return one

        yield make


@pytest.fixture
def chat(made: Make, daemon: DaemonProcess) -> ChatOllama:
    few = {"temperature": 0, "num_predict": 8}
    chat: ChatOllama = made(ChatOllama, daemon.url, model="qwen2-7b", validate_model_on_init=True, **few)
    return chat


def test_chat_answers_with_its_figures(chat: ChatOllama) -> None:
    found = chat.invoke("Say hello.")
    assert found.content
    assert found.usage_metadata is not None
    assert found.usage_metadata["output_tokens"] > 0
    assert found.response_metadata["done_reason"] in ("stop", "length")


def test_chat_streams_the_same_text(chat: ChatOllama) -> None:
    chunks = [chunk.text for chunk in chat.stream("Say hello.")]
    assert "".join(chunks) == chat.invoke("Say hello.").content
    assert len(chunks) > 2


def test_a_structured_answer_has_its_form(chat: ChatOllama) -> None:
    longer = chat.model_copy(update={"num_predict": 60})
    found = longer.with_structured_output(City, method="json_schema").invoke("Is Paris big?")
    assert isinstance(found, City)


def test_tools_go_there_and_back(
    made: Make, scripted: ScriptedEngine, scripted_client: ollama.Client
) -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    called = {"function": {"name": "add", "arguments": {"a": 1, "b": 2}}}
    line = {"message": {"role": "assistant", "content": "", "tool_calls": [called]}, "done": False}
    scripted.scripts = [[say(line), say(DONE)]]
    url = str(scripted_client._client.base_url)
    model = made(ChatOllama, url).bind_tools([add])
    found = model.invoke("1 + 2?")
    assert isinstance(found, AIMessage)
    assert found.tool_calls[0]["args"] == {"a": 1, "b": 2}
    model.invoke(
        [HumanMessage("1 + 2?"), found, ToolMessage("3", tool_call_id=found.tool_calls[0]["id"], name="add")]
    )
    assert [message["role"] for message in scripted.asked()[1]["messages"]] == ["user", "assistant", "tool"]


def test_completion_answers_and_streams(made: Make, daemon: DaemonProcess) -> None:
    llm = made(OllamaLLM, daemon.url, temperature=0, num_predict=8)
    assert "".join(llm.stream("Say hello.")) == llm.invoke("Say hello.") != ""


def test_vectors_come_for_documents(made: Make, daemon: DaemonProcess) -> None:
    embeddings = made(OllamaEmbeddings, daemon.url)
    assert len(embeddings.embed_documents(["Paris", "Rome"])) == 2
    assert embeddings.embed_query("Paris")


def test_a_refusal_is_ollamas_error(made: Make, daemon: DaemonProcess) -> None:
    chat = made(ChatOllama, daemon.url, num_ctx=9999)
    with pytest.raises(ollama.ResponseError, match="num_ctx") as caught:
        chat.invoke("Hi")
    assert caught.value.status_code == 400
