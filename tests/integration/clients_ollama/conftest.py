"""A real daemon in front of the embedded engine, asked by the packages that Ollama's users have.

One daemon is open, one has keys: an administrator's, an application's, and one of an
application that may use no model that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ollama
import pytest

from ia0_daemon.keys import new_key
from tests.daemon_process import MODEL, DaemonProcess, Sections
from tests.engine_process import EngineProcess
from tests.scripted_engine import ScriptedEngine

OTHER = {"name": "other", "tag": "smollm2:135m-other", "num_ctx": 256}


@dataclass(frozen=True)
class Keyed:
    """A daemon with keys."""

    daemon: DaemonProcess
    admin: ollama.Client
    shop: ollama.Client
    narrow: ollama.Client
    wrong: ollama.Client
    none: ollama.Client


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(
        tmp_path_factory.mktemp("engine"),
        env={"IA0_ENGINE_FAULT_NO_DONE_AFTER_TOKENS": "3;when=DIRTY"},
        models=(str(MODEL["tag"]), str(OTHER["tag"])),
    ) as running:
        yield running


@pytest.fixture(scope="session")
def daemon(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    sections: Sections = {
        "engine": {"poll_interval_s": 0.5},
        "cache": {"enabled": False},  # what is streamed is to come from the engine
        "models.other": OTHER,
        "models.small": {"num_ctx": 512},
    }
    with DaemonProcess(tmp_path_factory.mktemp("daemon"), engine.url, sections) as running:
        yield running


@pytest.fixture(scope="session")
def client(daemon: DaemonProcess) -> Iterator[ollama.Client]:
    with ollama.Client(daemon.url, trust_env=False) as made:
        yield made


@pytest.fixture(scope="session")
def keyed(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """A daemon with keys; its key's sections have one name each, since TOML's list of tables repeats it."""
    keys = {name: new_key() for name in ("admin", "shop", "narrow")}
    folder = tmp_path_factory.mktemp("keyed")
    with KeyedProcess(folder, engine.url, {name: digest for name, (_, digest) in keys.items()}) as running:
        clients = {name: _client(running, plain) for name, (plain, _) in keys.items()}
        known = Keyed(
            running, **clients, wrong=_client(running, "ia0-nobody"), none=ollama.Client(running.url)
        )
        yield known
        for each in (known.admin, known.shop, known.narrow, known.wrong, known.none):
            each.close()


class KeyedProcess(DaemonProcess):
    """A daemon whose configuration ends with keys."""

    def __init__(self, folder: Path, engine: str, digests: dict[str, str]) -> None:
        self._digests = digests
        super().__init__(folder, engine, {"models.small": {"num_ctx": 512}, "models.other": OTHER})

    def configure(self, sections: Sections) -> None:
        """Write the configuration, and the keys behind it."""
        super().configure(sections)
        more = {"admin": "admin = true\n", "narrow": 'models = ["other"]\n'}
        tables = [
            f'[[auth.keys]]\nname = "{name}"\nsha256 = "{digest}"\n{more.get(name, "")}'
            for name, digest in self._digests.items()
        ]
        self.config_path.write_text(self.config_path.read_text() + "".join(tables))


def _client(daemon: DaemonProcess, key: str) -> ollama.Client:
    return ollama.Client(daemon.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)


@pytest.fixture
def scripted() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as engine:
        yield engine


@pytest.fixture
def scripted_client(scripted: ScriptedEngine, tmp_path: Path) -> Iterator[ollama.Client]:
    """A client of a daemon in front of a scripted engine."""
    with (
        DaemonProcess(tmp_path, scripted.url) as daemon,
        ollama.Client(daemon.url, trust_env=False) as made,
    ):
        yield made
