"""Does what was decided: the one place that starts, reloads and ends services.

    start():   lock -> look -> decide -> act -> wait until it answers -> remember
    stop():    lock -> SIGTERM to the main process -> wait -> SIGKILL to the rest -> forget
    status():  look

Never prints, and never signals a process that does not carry the service's mark
or is not the remembered one.
"""

from __future__ import annotations

import fcntl
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ia0_daemon.local_services import fingerprints, launch, processes, readiness, records
from ia0_daemon.local_services.decide import Action, Decision, decide
from ia0_daemon.local_services.errors import ReloadError, StartError, StopError
from ia0_daemon.local_services.fingerprints import Fingerprint
from ia0_daemon.local_services.processes import Identity
from ia0_daemon.local_services.records import Record
from ia0_daemon.local_services.spec import Service

_POLL_S = 0.05
_KILL_TIMEOUT_S = 10.0
"""How long a process may take to go after SIGKILL; only one in uninterruptible sleep takes long."""
_RELOAD_TIMEOUT_S = 30.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to a service, or would be done."""

    service: str
    action: Action
    changed: bool
    pid: int | None = None
    why: tuple[str, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is doing now."""

    service: str
    state: str
    """``running``, ``not answering`` or ``stopped``."""
    pid: int | None = None
    since: str = ""
    processes: int = 0
    """Also what a main process that was killed has left behind."""
    address: str = ""
    """Where it is found; empty where its file does not say."""
    log_path: str = ""


def start(service: Service, *, dry_run: bool = False) -> Outcome:
    """Bring the service to what its file says, by the smallest step; safe to repeat."""
    wanted = fingerprints.take(service)
    with _locked(service):
        main, known = _look(service)
        decision = _decide(service, known, wanted)
        pid = main.pid if dry_run and main else None
        if not dry_run:
            pid = _act(service, decision, main, wanted)
    return _outcome(service, decision, pid)


def stop(service: Service, *, dry_run: bool = False) -> Outcome:
    """End the service and every process that carries its mark; safe to repeat."""
    with _locked(service):
        main, _ = _look(service)
        there = processes.marked(service.run_path)
        if not dry_run:
            _end(service, main)
            records.forget(Path(service.run_path))
    decision = Decision(action=Action.STOP if there else Action.KEEP)
    return _outcome(service, decision, main.pid if main else None)


def status(service: Service) -> Status:
    """Look, and change nothing."""
    record = records.read(Path(service.run_path))
    there = len(processes.marked(service.run_path))
    if record is None or not processes.is_alive(record.identity):
        # A killed engine leaves the processes of its models behind.
        return Status(service=service.name, state="stopped", processes=there, log_path=service.log_path)
    answers = not service.ready_url or readiness.answers(service.ready_url)
    return Status(
        service=service.name,
        state="running" if answers else "not answering",
        pid=record.identity.pid,
        since=record.started_at,
        processes=there,
        address=service.address or "/".join(service.ready_url.split("/")[:3]),
        log_path=service.log_path,
    )


def _outcome(service: Service, decision: Decision, pid: int | None) -> Outcome:
    changed = decision.action is not Action.KEEP
    return Outcome(service=service.name, action=decision.action, changed=changed, pid=pid, why=decision.why)


def _look(service: Service) -> tuple[Identity | None, Fingerprint | None]:
    """The running main process and what it was started with."""
    record = records.read(Path(service.run_path))
    if record is None or not processes.is_alive(record.identity):
        return None, None
    return record.identity, record.fingerprint


def _decide(service: Service, known: Fingerprint | None, wanted: Fingerprint) -> Decision:
    leftovers = bool(processes.marked(service.run_path))
    return decide(known, wanted, leftovers=leftovers, can_reload=bool(service.reload_command))


def _act(service: Service, decision: Decision, main: Identity | None, wanted: Fingerprint) -> int:
    if decision.action in {Action.START, Action.RESTART} or main is None:
        _end(service, main)
        return _begin(service, wanted).pid
    if decision.action is Action.RELOAD:
        _reload(service)
        _renew(service, wanted)
    readiness.wait(service, lambda: processes.is_alive(main))
    return main.pid


def _begin(service: Service, wanted: Fingerprint) -> Identity:
    pid = launch.spawn(service)
    main = processes.identify(pid)
    if main is None:
        raise StartError(readiness.ended(service))
    _remember(service, main, wanted)
    try:
        readiness.wait(service, lambda: processes.is_alive(main))
    except StartError:
        # Left running it would hold the port, and the next start would take it for a service that is up.
        _end(service, main)
        records.forget(Path(service.run_path))
        raise
    return main


def _remember(service: Service, main: Identity, wanted: Fingerprint) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record(name=service.name, identity=main, fingerprint=wanted, started_at=now)
    records.write(Path(service.run_path), record)


def _renew(service: Service, wanted: Fingerprint) -> None:
    """The process is the same, what it was told is not."""
    path = Path(service.run_path)
    record = records.read(path)
    if record is not None:
        records.write(path, msgspec.structs.replace(record, fingerprint=wanted))


def _reload(service: Service) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the command is the service file's, which is the operator's own
            service.reload_command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_RELOAD_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReloadError(f"{service.name}: reload failed: {error}") from error
    if done.returncode != 0:
        raise ReloadError(f"{service.name}: reload refused: {(done.stderr or done.stdout).strip()}")


def _end(service: Service, main: Identity | None) -> None:
    """SIGTERM to the main process, which ends its children itself; SIGKILL to what is left."""
    if main is not None:
        processes.send(main, signal.SIGTERM)
        _until(lambda: not processes.is_alive(main), service.stop_timeout_s)
    rest = processes.marked(service.run_path)
    if main is not None and processes.is_alive(main):
        rest.append(main)
    for identity in rest:
        processes.send(identity, signal.SIGKILL)
    if not _until(lambda: not processes.marked(service.run_path), _KILL_TIMEOUT_S):
        pids = ", ".join(str(identity.pid) for identity in processes.marked(service.run_path))
        raise StopError(f"{service.name}: still there {_KILL_TIMEOUT_S:.0f} s after SIGKILL: pid {pids}")


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


@contextmanager
def _locked(service: Service) -> Iterator[None]:
    """One starter or stopper at a time; the lock goes with the process that holds it."""
    path = Path(f"{service.run_path}.lock")
    for folder in (path.parent, Path(service.log_path).parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
