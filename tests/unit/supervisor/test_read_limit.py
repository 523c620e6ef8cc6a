"""The limit around the engine is found in both versions of cgroups, recorded as real machines show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.supervisor.read_host import read_host
from ia0_daemon.supervisor.read_limit import Limit, lower, read_limit
from tests.unit.supervisor.memory_builders import GIB, MIB, FakeProc

# As /proc/self/mountinfo has them: a systemd host, a hybrid one, a container with a namespace of its own.
V2 = "31 23 0:28 / {cgroup} rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / {cgroup} rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / {cgroup}/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / {cgroup}/memory rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / {cgroup}/unified rw,relatime - cgroup2 cgroup2 rw\n"
)
DOCKER_V1 = "35 31 0:32 /docker/c0ffee {cgroup}/memory ro,relatime - cgroup cgroup rw,memory\n"
NONE_V1 = "9223372036854771712\n"


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path / "proc")


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def mount(proc: FakeProc, cgroup: Path, text: str, process: str) -> None:
    proc.write("self/mountinfo", text.format(cgroup=cgroup))
    proc.write("7/cgroup", process)


def v2(
    folder: Path, limit: int | str, current: int, inactive: int = 0, active: int = 0, slab: int = 0
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(
        f"anon 1\nfile {inactive + active}\nslab_reclaimable {slab}\n"
        f"inactive_file {inactive}\nactive_file {active}\n"
    )


def v1(folder: Path, limit: int | str, usage: int, inactive: int = 0, active: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(
        f"cache 5\ninactive_file 1\ntotal_inactive_file {inactive}\ntotal_active_file {active}\n"
    )


def test_a_units_limit_counts_without_its_file_cache(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/system.slice/ollama.service\n")
    unit = cgroup / "system.slice/ollama.service"
    v2(unit, 16 * GIB, 15 * GIB, inactive=8 * GIB, active=GIB, slab=MIB)
    held = 6 * GIB - MIB
    assert read_limit(proc.path, "7") == Limit(16 * GIB, held, str(unit / "memory.max"), 16 * GIB - held)


def test_the_lowest_limit_up_the_tree_counts(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/ai.slice/gpu.slice/ollama.service\n")
    v2(cgroup / "ai.slice/gpu.slice/ollama.service", "max", 3 * GIB)
    v2(cgroup / "ai.slice/gpu.slice", 8 * GIB, 3 * GIB)
    v2(cgroup / "ai.slice", 12 * GIB, 4 * GIB)
    limit = read_limit(proc.path, "7")
    assert limit is not None
    assert (limit.bytes, limit.used_bytes) == (8 * GIB, 3 * GIB)


def test_a_wider_limit_that_others_have_filled_leaves_less(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/ai.slice/ollama.service\n")
    v2(cgroup / "ai.slice/ollama.service", 8 * GIB, 3 * GIB)
    v2(cgroup / "ai.slice", 12 * GIB, 11 * GIB)
    host = read_host(proc.path, 7)
    assert (host.limit_bytes, host.limit_used_bytes) == (8 * GIB, 3 * GIB)
    assert host.headroom_bytes == GIB


def test_max_is_no_limit(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/system.slice/ollama.service\n")
    v2(cgroup / "system.slice/ollama.service", "max", GIB)
    assert read_limit(proc.path, "7") is None


def test_v1_is_read_where_it_has_the_memory(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V1, "9:name=systemd:/\n4:memory:/box/a\n1:cpu,cpuacct:/\n0::/\n")
    v1(cgroup / "memory/box/a", NONE_V1, 2 * GIB)
    v1(cgroup / "memory/box", 4 * GIB, 3 * GIB, inactive=GIB, active=GIB)
    v1(cgroup / "memory", NONE_V1, 9 * GIB)
    limit = read_limit(proc.path, "7")
    assert limit is not None
    assert (limit.bytes, limit.used_bytes, limit.headroom_bytes) == (4 * GIB, GIB, 3 * GIB)


def test_the_huge_number_of_v1_is_no_limit(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V1, "4:memory:/\n")
    v1(cgroup / "memory", NONE_V1, GIB)
    assert read_limit(proc.path, "7") is None


def test_a_container_sees_its_own_group_as_the_top(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, DOCKER_V1, "4:memory:/docker/c0ffee\n")
    v1(cgroup / "memory", 4 * GIB, GIB)
    limit = read_limit(proc.path, "7")
    assert limit is not None
    assert limit.bytes == 4 * GIB


@pytest.mark.parametrize("path", ["0::/../other\n", "0::/nowhere\n", "", "5:cpu:/x\n"])
def test_what_cannot_be_seen_is_no_limit(proc: FakeProc, cgroup: Path, path: str) -> None:
    mount(proc, cgroup, V2, path)
    v2(cgroup.parent / "other", GIB, MIB)
    assert read_limit(proc.path, "7") is None


def test_the_lower_of_host_and_limit_is_what_there_is(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/a\n")
    v2(cgroup / "a", 4 * GIB, GIB)
    proc.memory(total=24 * GIB, available=20 * GIB, swap=2 * GIB, swap_free=GIB)
    host = read_host(proc.path, 7)
    assert (host.capacity_bytes, host.headroom_bytes) == (4 * GIB, 3 * GIB)
    assert (host.swap_total_bytes, host.swap_used_bytes) == (2 * GIB, GIB)
    proc.memory(total=24 * GIB, available=2 * GIB)
    assert read_host(proc.path, 7).headroom_bytes == 2 * GIB
    assert read_host(proc.path, None).capacity_bytes == 24 * GIB


def test_where_the_kernel_stalls_before_it_kills_that_is_the_limit(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/system.slice/ollama.service\n")
    unit = cgroup / "system.slice/ollama.service"
    v2(unit, 16 * GIB, 4 * GIB)
    (unit / "memory.high").write_text(f"{14 * GIB}\n")
    assert read_limit(proc.path, "7") == Limit(14 * GIB, 4 * GIB, str(unit / "memory.high"), 10 * GIB)


def test_no_stalling_point_is_no_limit(proc: FakeProc, cgroup: Path) -> None:
    mount(proc, cgroup, V2, "0::/system.slice/ollama.service\n")
    unit = cgroup / "system.slice/ollama.service"
    v2(unit, "max", 4 * GIB)
    (unit / "memory.high").write_text("max\n")
    assert read_limit(proc.path, "7") is None


MEASURED = Limit(8 * GIB, 3 * GIB, "file", 2 * GIB)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, MEASURED),
        (Limit(4 * GIB, GIB, "MemoryMax", 3 * GIB), Limit(4 * GIB, GIB, "MemoryMax", 2 * GIB)),
        (Limit(9 * GIB, 8 * GIB, "MemoryMax", GIB), Limit(8 * GIB, 3 * GIB, "file", GIB)),
        # The same limit, seen twice: what was measured knows of file cache.
        (Limit(8 * GIB, 7 * GIB, "MemoryMax", GIB), MEASURED),
    ],
)
def test_a_limit_that_systemd_tells_is_laid_beside_the_measured_one(
    told: Limit | None, expected: Limit
) -> None:
    assert lower(MEASURED, told) == expected
    assert lower(None, told) == told
