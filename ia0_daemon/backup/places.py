"""Where the things are that a backup saves.

Owns the list of places and the search for the engine's folders. Never reads what is saved.

    settings, environment, machine -> places -> which of them a path belongs to
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ia0_daemon.backup.manifest import Kind
from ia0_daemon.settings.environment import KEYS_FILE
from ia0_daemon.settings.schema import Settings

# Where Ollama's own installer and its packages have the home of the user `ollama`.
_ENGINE_HOMES = (Path("/usr/share/ollama/.ollama"), Path("/var/lib/ollama/.ollama"), Path("/var/lib/ollama"))
_ENGINE_FILES = ("id_ed25519", "id_ed25519.pub", "server.json")
_UNITS = ("ollama.service", "ollama@*.service", "ia0.*", "ia0-*.*")
_UNIT_SUFFIXES = frozenset({".service", ".socket", ".timer", ".path", ".slice"})


@dataclass(frozen=True)
class Machine:
    """What of the machine a backup depends on."""

    host: str
    units: Path = Path("/etc/systemd/system")
    engine_homes: tuple[Path, ...] = _ENGINE_HOMES
    home: Path = field(default_factory=Path.home)


@dataclass(frozen=True)
class Place:
    """A file, or a folder with everything below it."""

    kind: Kind
    path: Path
    required: bool = False
    """Whether a backup without it is none."""
    follow: bool = False
    """Whether the path itself may be a symbolic link: only where the operator named it."""
    daemons_own: bool = False
    """Whether it lies among the daemon's own files, where root reads nothing for it."""


@dataclass(frozen=True)
class Places:
    """All places of one configuration."""

    saved: tuple[Place, ...]
    models: Path

    @property
    def config(self) -> Path | None:
        """The configuration file, if there is one."""
        return next((place.path for place in self.saved if place.kind is Kind.CONFIG), None)

    def first(self, kind: Kind) -> Path | None:
        """The place of this kind, if there is one."""
        return next((place.path for place in self.saved if place.kind is kind), None)

    def has(self, kind: Kind, origin: str) -> bool:
        """Whether this configuration would save the path as such a file."""
        path = Path(origin)
        return any(place.kind is kind and path.is_relative_to(place.path) for place in self.saved)


def places(settings: Settings, config: Path | None, environ: Mapping[str, str], machine: Machine) -> Places:
    """The places of a configuration, whether there is anything or not."""
    engine_env = config.absolute().parent / "engine.env" if config is not None else None
    engine = _engine_folder(settings, machine)
    models = _models_folder(settings, engine, engine_env)
    found = [*_configuration(config, environ, engine_env), *_engine(engine), *_units(machine.units)]
    if Path(settings.auth.keys_path).is_absolute():
        found.append(Place(Kind.KEYS, _real(Path(settings.auth.keys_path)), daemons_own=True))
    if settings.alerts.webhook_url_file:
        found.append(
            Place(Kind.KEYS, _real(Path(settings.alerts.webhook_url_file), follow=True), follow=True)
        )
    found.append(Place(Kind.MODEL_MANIFEST, _real(models / "manifests", follow=True)))
    found += [
        Place(Kind.EXTRA, _real(Path(path), follow=True), follow=True) for path in settings.backup.include
    ]
    found.append(Place(Kind.HISTORY, _real(Path(settings.events.path))))
    return Places(tuple(found), models)


def _configuration(
    config: Path | None, environ: Mapping[str, str], engine_env: Path | None
) -> Iterator[Place]:
    if config is not None:
        yield Place(Kind.CONFIG, _real(config, follow=True), required=True, follow=True)
    keys = environ.get(KEYS_FILE, "").strip()
    if keys:
        yield Place(Kind.KEYS, _real(Path(keys), follow=True), required=True, follow=True)
    if engine_env is not None:
        yield Place(Kind.ENGINE_ENV, _real(engine_env, follow=True), follow=True)


def _engine(folder: Path) -> Iterator[Place]:
    for name in _ENGINE_FILES:
        yield Place(Kind.ENGINE_KEY, _real(folder / name))


def _units(folder: Path) -> Iterator[Place]:
    """Units and drop-in folders of ours and of the engine's, also where there are none yet."""
    names = {"ollama.service.d", "ia0.service.d"}
    for pattern in _UNITS:
        names |= {path.name for path in folder.glob(pattern) if path.suffix in _UNIT_SUFFIXES}
        names |= {path.name for path in folder.glob(f"{pattern}.d")}
    yield from (Place(Kind.UNIT, _real(folder) / name) for name in sorted(names))


def _engine_folder(settings: Settings, machine: Machine) -> Path:
    if settings.backup.engine_path:
        return Path(settings.backup.engine_path)
    own = machine.home / ".ollama"
    candidates = (*machine.engine_homes, own)
    return next((path for path in candidates if _is_there(path / _ENGINE_FILES[0])), own)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that this user may not enter
        return False


def _models_folder(settings: Settings, engine: Path, engine_env: Path | None) -> Path:
    if settings.engine.models_path:
        return Path(settings.engine.models_path)
    told = _variable(engine_env, "OLLAMA_MODELS") if engine_env is not None else ""
    return Path(told) if told.startswith("/") else engine / "models"


def _variable(path: Path, name: str) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    values = [line.partition("=")[2] for line in lines if line.partition("=")[0].strip() == name]
    return values[-1].strip().strip("\"'") if values else ""


def _real(path: Path, *, follow: bool = False) -> Path:
    """The path without symbolic links on the way; the last part as it is, unless it may be one."""
    return path.resolve() if follow else path.parent.resolve() / path.name
