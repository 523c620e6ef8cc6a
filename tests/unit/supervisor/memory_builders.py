"""Samples, baselines and a made-up `/proc` for the tests of the memory's part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ia0_daemon.supervisor.baseline import Baseline, Baselines, Origin
from ia0_daemon.supervisor.samples import Child, EngineTree, Host, Identity, Sample

GIB = 2**30
MIB = 2**20
PARENT = 100
DIGEST = "sha256:" + "ab" * 32


def child(
    held: int, pid: int = 101, tag: str = "m:1", *, loaded: bool | None = True, started: int = 5
) -> Child:
    return Child(pid, started, tag, DIGEST, held, 0, 0, loaded)


def sample(*children: Child, at: float = 0.0, rest: int = 0, host: Host | None = None) -> Sample:
    held = rest + sum(each.held_bytes for each in children)
    engine = EngineTree(PARENT, held, children, started=1)
    return Sample(at, engine, host or Host(total_bytes=24 * GIB, available_bytes=20 * GIB))


def baselines(children: Sequence[Child], origin: Origin = "measured") -> Baselines:
    """What these children hold now as their baselines, and nothing for the parent."""
    known = {each.identity: Baseline(each.identity, each.tag, each.held_bytes, origin) for each in children}
    parent = Identity(PARENT, 1)
    return Baselines({**known, parent: Baseline(parent, "", 0, origin)}, has_begun=True)


class FakeProc:
    """A folder that looks like `/proc` to the readers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "self").mkdir(parents=True)
        (path / "sys/kernel/random").mkdir(parents=True)
        (path / "sys/kernel/random/boot_id").write_text("boot-1\n")
        self.write("self/mountinfo", "")
        self.write("self/cgroup", "0::/\n")
        self.memory(total=24 * GIB, available=20 * GIB)

    def write(self, name: str, text: str | bytes) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    def memory(self, total: int, available: int, swap: int = 0, swap_free: int = 0) -> None:
        rows = {"MemTotal": total, "MemAvailable": available, "SwapTotal": swap, "SwapFree": swap_free}
        text = "".join(f"{name}:  {size // 1024} kB\n" for name, size in rows.items())
        self.write("meminfo", f"{text}HugePages_Total:       0\n")

    def process(
        self,
        pid: int,
        parent: int,
        arguments: Sequence[str],
        *,
        anon: int = 0,
        swap: int = 0,
        file: int = 0,
        started: int = 50,
        state: str = "S",
        name: str = "a) (b",
    ) -> None:
        fields = [state, str(parent), *["0"] * 17, str(started), "0", "0"]
        self.write(f"{pid}/stat", f"{pid} ({name}) {' '.join(fields)}\n")
        kib = {"VmRSS": anon + file, "RssAnon": anon, "RssFile": file, "RssShmem": 0, "VmSwap": swap}
        rows = "".join(f"{key}:\t{size // 1024:>8} kB\n" for key, size in kib.items())
        self.write(f"{pid}/status", f"Name:\tx\nPid:\t{pid}\n{rows}Threads:\t3\n")
        self.write(f"{pid}/cmdline", b"\0".join(each.encode() for each in arguments) + b"\0")
        self.write(f"{pid}/cgroup", "0::/\n")
