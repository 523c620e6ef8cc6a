"""A host in a folder, with everything that a backup saves."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.backup.candidate import settings_anyhow
from ia0_daemon.backup.engine_models import EngineSilent, Tag
from ia0_daemon.backup.places import Machine
from ia0_daemon.backup.service import BackupService
from ia0_daemon.keys import hash_key
from ia0_daemon.settings.load import Source
from ia0_daemon.supervisor.events import Event

OLD_KEY = hash_key("ia0-" + "a" * 43)
NEW_KEY = hash_key("ia0-" + "b" * 43)


class FakeEngine:
    """An engine with one model, or a silent one."""

    def __init__(self) -> None:
        self.models = {"qwen2:7b": "FROM qwen2:7b\nPARAMETER num_ctx 4096\n"}
        self.silent = False
        self.refuses: set[str] = set()

    def tags(self) -> list[Tag]:
        if self.silent:
            raise EngineSilent("the engine does not answer")
        return [Tag(name=name, size=5, digest="d" * 64) for name in self.models]

    def modelfile(self, name: str) -> str:
        if name in self.refuses:
            raise EngineSilent("500")
        return self.models[name]


class Recorded(list[Event]):
    """Events as they were recorded."""

    def record(self, event: Event) -> None:
        self.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self]


@dataclass
class Clock:
    """A time that the test moves; each look is a second later."""

    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Host:
    """The files of one host below a folder."""

    root: Path
    name: str = "gpu-a"
    engine: FakeEngine = field(default_factory=FakeEngine)
    events: Recorded = field(default_factory=Recorded)
    clock: Clock = field(default_factory=Clock)
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.root / "etc/ia0.toml"

    @property
    def ollama(self) -> Path:
        return self.root / "ollama"

    @property
    def manifest(self) -> Path:
        return self.ollama / "models/manifests/registry.ollama.ai/library/qwen2/7b"

    @property
    def blob(self) -> Path:
        return self.ollama / "models/blobs/sha256-aa"

    @property
    def units(self) -> Path:
        return self.root / "systemd"

    @property
    def history(self) -> Path:
        return self.root / "events.db"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def configure(self, key: str = OLD_KEY, more: str = "", backup: str = "") -> None:
        self.config.write_text(
            f'[server]\nsocket_path = "{self.root}/ia0.sock"\n'
            f'[backup]\npath = "{self.backups}"\nengine_path = "{self.ollama}"\n{backup}'
            f'[events]\npath = "{self.history}"\n{more}'
            f'[[auth.keys]]\nname = "shop"\nsha256 = "{key}"\n'
        )

    def service(self, **changes: object) -> BackupService:
        source = Source(self.config, self.environ)
        settings = settings_anyhow(source)[0]
        backup = msgspec.structs.replace(settings.backup, path=str(self.backups), **changes)
        machine = Machine(self.name, units=self.units, engine_homes=(), home=self.root / "home")
        return BackupService(
            source,
            msgspec.structs.replace(settings, backup=backup),
            recorder=self.events,
            machine=machine,
            engine=self.engine,
            clock=self.clock,
            lock_wait_s=0.1,
        )

    def write_history(self, *summaries: str) -> sqlite3.Connection:
        """Add events and leave the connection open, as the daemon does: they are in the WAL."""
        connection = sqlite3.connect(self.history, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS event (summary TEXT)")
        connection.executemany("INSERT INTO event VALUES (?)", [(each,) for each in summaries])
        return connection

    def read_history(self) -> list[str]:
        with closing(sqlite3.connect(self.history)) as connection:
            return [row[0] for row in connection.execute("SELECT summary FROM event")]

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Content and mode of every file but the archives' own folder and SQLite's helpers."""
        files = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        kept = [
            path for path in files if self.backups not in path.parents and self.history.name not in path.name
        ]
        return {str(path): (path.read_bytes(), path.stat().st_mode) for path in kept}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path.resolve())
    for folder in (
        host.config.parent,
        host.manifest.parent,
        host.blob.parent,
        host.units / "ollama.service.d",
    ):
        folder.mkdir(parents=True)
    host.configure()
    (host.config.parent / "engine.env").write_text("OLLAMA_KEEP_ALIVE=30m\n")
    (host.ollama / "id_ed25519").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n")
    (host.ollama / "id_ed25519").chmod(0o600)
    (host.ollama / "id_ed25519.pub").write_text("ssh-ed25519 AAAA\n")
    (host.ollama / "server.json").write_text("{}\n")
    host.blob.write_bytes(b"weights")
    host.manifest.write_text(json.dumps({"layers": [{"digest": "sha256:aa", "size": 7}]}))
    (host.units / "ollama.service.d/10-ia0.conf").write_text("[Service]\n")
    (host.units / "sshd.service").write_text("not ours\n")
    host.write_history("started").close()
    return host
