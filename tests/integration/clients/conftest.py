"""A real daemon in front of the embedded engine, asked by the packages that OpenAI's users have.

LiteLLM is told before its import to take its own table of prices: it would ask the network for one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openai import DefaultHttpxClient, OpenAI

from tests.daemon_process import MODEL, DaemonProcess
from tests.engine_process import EngineProcess
from tests.scripted_engine import ScriptedEngine

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

NAME = str(MODEL["name"])
# A model of its own for vectors: the engine would load the other one anew for each change.
EMBEDDER = {"name": "embedder", "tag": "embedder:135m", "num_ctx": 256}
MakeClient = Callable[..., OpenAI]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(
        tmp_path_factory.mktemp("engine"),
        env={"IA0_ENGINE_FAULT_ERROR_AFTER_TOKENS": "1;when=FAIL"},
        models=(str(MODEL["tag"]), str(EMBEDDER["tag"])),
    ) as running:
        yield running


@pytest.fixture(scope="session")
def daemon(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    sections = {
        "engine": {"poll_interval_s": 0.5},
        "models.small": {"num_ctx": 512},
        "models.embedder": EMBEDDER,
        "limits": {"max_tokens": 200},
    }
    with DaemonProcess(tmp_path_factory.mktemp("daemon"), engine.url, sections) as running:
        yield running


@pytest.fixture(scope="session")
def make_client() -> Iterator[MakeClient]:
    """Make a client that asks once, whatever comes, and takes no proxy from the environment."""
    made: list[OpenAI] = []

    def make(daemon: DaemonProcess, api_key: str = "none") -> OpenAI:
        http = DefaultHttpxClient(trust_env=False)
        made.append(OpenAI(base_url=f"{daemon.url}/v1", api_key=api_key, max_retries=0, http_client=http))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="session")
def client(daemon: DaemonProcess, make_client: MakeClient) -> OpenAI:
    return make_client(daemon)


@pytest.fixture
def scripted() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as engine:
        yield engine


@pytest.fixture
def scripted_daemon(scripted: ScriptedEngine, tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path, scripted.url) as running:
        yield running


@pytest.fixture
def scripted_client(scripted_daemon: DaemonProcess, make_client: MakeClient) -> OpenAI:
    return make_client(scripted_daemon)


def calls(*names: str, **arguments: object) -> dict[str, object]:
    """One line of the engine in which the model calls tools."""
    found = [{"function": {"name": name, "arguments": arguments}} for name in names]
    return {"message": {"role": "assistant", "content": "", "tool_calls": found}, "done": False}
