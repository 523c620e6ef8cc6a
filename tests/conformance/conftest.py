"""Which engine the suite runs against, and which tests that engine allows.

By default the embedded engine, one process for the whole session. With --engine-url (or
IA0_CONFORMANCE_ENGINE) any other; then tests that need more than its address are deselected,
and the reason for each is printed at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from tests.conformance.sentences import Sentence, read_sentences
from tests.conformance.target import Target, missing
from tests.conformance.weights import create_second_model
from tests.engine_process import EngineProcess

EMBEDDED_MODEL = "smollm2:135m"
SECOND_MODEL = "second:135m"


@dataclass
class Foreign:
    """What the command line says about an engine that is not ours."""

    url: str
    model: str
    second_model: str | None
    writes: bool
    reasons: dict[str, str] = field(default_factory=dict)


FOREIGN = pytest.StashKey[Foreign | None]()
COLLECTED = pytest.StashKey[list[tuple[str, tuple[str, ...]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "the engine under test")
    group.addoption("--engine-url", default=os.environ.get("IA0_CONFORMANCE_ENGINE", ""))
    group.addoption("--engine-model", default=os.environ.get("IA0_CONFORMANCE_MODEL", ""))
    group.addoption("--engine-second-model", default=os.environ.get("IA0_CONFORMANCE_SECOND_MODEL", ""))
    group.addoption("--engine-writes", action="store_true", help="allow models to be added and removed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sentence(*ids): the sentences of sentences.toml that the test holds")
    config.addinivalue_line("markers", "needs(*what): process, start, writes, second_model or loopback")
    url = config.getoption("--engine-url")
    if url and not config.getoption("--engine-model"):
        raise pytest.UsageError("--engine-url needs --engine-model, the name of a model that is there")
    config.stash[FOREIGN] = _foreign(config) if url else None
    config.stash[COLLECTED] = []


def _foreign(config: pytest.Config) -> Foreign:
    return Foreign(
        url=config.getoption("--engine-url").rstrip("/"),
        model=config.getoption("--engine-model"),
        second_model=config.getoption("--engine-second-model") or None,
        writes=config.getoption("--engine-writes"),
    )


def marked(item: pytest.Item, name: str) -> tuple[str, ...]:
    """The arguments of all marks of this name."""
    return tuple(arg for mark in item.iter_markers(name) for arg in mark.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    ours = [item for item in items if here in item.path.parents]
    config.stash[COLLECTED] = [(item.nodeid, marked(item, "sentence")) for item in ours]
    foreign = config.stash[FOREIGN]
    if foreign is None:
        return
    for item in ours:
        needs = set(marked(item, "needs"))
        if reason := missing(foreign.url, needs, foreign.second_model, foreign.writes):
            foreign.reasons[item.nodeid] = reason
    gone = [item for item in ours if item.nodeid in foreign.reasons]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    foreign = config.stash[FOREIGN]
    if foreign and foreign.reasons:
        terminalreporter.section("not run against this engine")
        for nodeid, reason in foreign.reasons.items():
            terminalreporter.write_line(f"{nodeid.partition('conformance/')[2]}: {reason}")


class Starter(Protocol):
    """Starts an engine with an environment of its own; it ends with the test."""

    def __call__(self, **environment: str) -> Target: ...


@pytest.fixture(scope="session")
def sentences() -> list[Sentence]:
    return read_sentences()


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> list[tuple[str, tuple[str, ...]]]:
    """Every test that was collected here, with the sentences that it holds."""
    return pytestconfig.stash[COLLECTED]


@pytest.fixture(scope="session")
def whole_suite(pytestconfig: pytest.Config, collected: list[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether every file of the suite was asked for, and not one test of it."""
    files = {nodeid.partition("::")[0].rpartition("/")[2] for nodeid, _ in collected}
    named = any("::" in argument for argument in pytestconfig.args)
    return not named and files >= {path.name for path in Path(__file__).parent.glob("test_*.py")}


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The engine under test, shared by the session."""
    foreign = pytestconfig.stash[FOREIGN]
    if foreign:
        yield Target(foreign.url, foreign.model, foreign.second_model)
        return
    with EngineProcess(tmp_path_factory.mktemp("engine"), models=(EMBEDDED_MODEL,)) as process:
        target = Target(process.url, EMBEDDED_MODEL, SECOND_MODEL, process.pid, process.models_path)
        create_second_model(target.client, SECOND_MODEL)
        yield target


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Starter]:
    """A function that starts embedded engines for one test."""
    with ExitStack() as stack:

        def start(**environment: str) -> Target:
            folder = tmp_path / f"engine-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            process = stack.enter_context(EngineProcess(folder, env=environment, models=(EMBEDDED_MODEL,)))
            models_dir = Path(environment.get("OLLAMA_MODELS", process.models_path))
            return Target(process.url, EMBEDDED_MODEL, None, process.pid, models_dir)

        yield start


@pytest.fixture
def models_dir(start_engine: Starter) -> Path:
    """A folder with a model in it, of an engine that nobody asks anything."""
    folder = start_engine().models_dir
    assert folder is not None
    return folder
