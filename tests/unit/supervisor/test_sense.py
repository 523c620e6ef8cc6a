"""One look after the other: read, follow, judge, explain, show to Prometheus."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric

from ia0_daemon.settings.schema import Backup, Memory, Settings
from ia0_daemon.settings.units import Amount
from ia0_daemon.supervisor.explain import account
from ia0_daemon.supervisor.memory_metrics import MemoryMetrics, families
from ia0_daemon.supervisor.read_gpus import Gpus
from ia0_daemon.supervisor.read_sample import Sampler, Surroundings
from ia0_daemon.supervisor.samples import Disk, Gpu, Sample
from ia0_daemon.supervisor.sense import Sense, View
from ia0_daemon.supervisor.thresholds import resolve
from ia0_daemon.supervisor.verdicts import State, Verdict
from tests.unit.supervisor.memory_builders import GIB, MIB, FakeProc, baselines, child, sample

HEX = "ab" * 32


class Machine:
    """A made-up machine with one engine of one model."""

    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.proc = FakeProc(path / "proc")
        self.models = path / "models"
        self.loaded: bool | None = True
        self.asked = 0
        self.pid: int | None = 10
        self.saved: list[dict[str, object]] = []
        memory = Memory(soft_samples=2, hard_samples=2, child_growth_hard=Amount("4GiB"))
        self.settings = Settings(memory=memory, backup=Backup(path=str(path)))
        manifest = self.models / "manifests/registry.ollama.ai/library/qwen2/7b"
        manifest.parent.mkdir(parents=True)
        layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{HEX}"}
        manifest.write_text(json.dumps({"layers": [layer]}))
        self.proc.process(10, 1, ["ollama", "serve"], anon=50 * MIB)
        self.hold(GIB)
        self.sense = self.start()

    def start(self) -> Sense:
        around = Surroundings(
            lambda: self.pid,
            lambda: self.settings,
            proc=self.proc.path,
            clock=lambda: self.now,
            has_loaded=self.ask,
        )
        sampler = Sampler(around, Gpus(lambda: None))
        return Sense(sampler, lambda: self.settings, self.saved.append, self.proc.path)

    def ask(self, port: int) -> bool | None:
        assert port == 4711
        self.asked += 1
        return self.loaded

    def hold(self, anon: int, swap: int = 0, file: int = 0) -> None:
        model = str(self.models / "blobs" / f"sha256-{HEX}")
        line = ["llama-server", "--model", model, "--port", "4711"]
        self.proc.process(11, 10, line, anon=anon, swap=swap, file=file)

    def look(self, times: int = 1) -> Sample:
        for _ in range(times):
            self.now += 5
            seen, _ = self.sense.look()
        return seen

    @property
    def level(self) -> str:
        assert self.sense.view is not None
        return self.sense.view.verdict.level

    def explained(self, state: State | None = None) -> str:
        return "\n".join(account(self.sense.view, state or State(), self.now))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.pid = None
    machine.look()  # so that the engine is younger than the daemon
    machine.pid = 10
    return machine


def test_the_models_name_comes_from_the_folder_that_the_child_names(machine: Machine) -> None:
    engine = machine.look().engine
    assert engine is not None
    assert [each.tag for each in engine.children] == ["qwen2:7b"]


def test_a_leak_is_seen_and_page_cache_is_not(machine: Machine) -> None:
    machine.look(3)
    machine.hold(GIB, file=20 * GIB)
    machine.look(5)
    assert machine.level == "ok"
    machine.hold(3 * GIB, swap=3 * GIB)
    machine.look()
    assert machine.level == "ok"
    machine.look()
    assert machine.level == "hard"


def test_a_child_is_asked_only_until_it_has_a_baseline(machine: Machine) -> None:
    machine.loaded = False
    machine.look(10)
    machine.loaded = True
    machine.look(10)
    assert machine.asked == 13


def test_the_folder_of_the_models_is_remembered_when_they_are_unloaded(machine: Machine) -> None:
    assert [disk.path for disk in machine.look().disks] == [str(machine.models), machine.settings.backup.path]
    (machine.proc.path / "11/stat").unlink()
    assert str(machine.models) in [disk.path for disk in machine.look().disks]


def test_without_an_engine_the_host_is_still_seen(machine: Machine) -> None:
    machine.pid = None
    assert machine.look().engine is None
    machine.pid = 999
    assert machine.look().engine is None
    assert "no engine runs on this machine" in machine.explained()


def test_a_restarted_daemon_knows_the_baselines_again(machine: Machine) -> None:
    machine.look(3)
    machine.hold(6 * GIB)
    machine.sense = machine.start()
    machine.sense.recall(machine.saved[-1], machine.now)
    machine.look(2)
    assert machine.level == "hard"
    assert "measured after loading, before the daemon was restarted" in machine.explained()


def test_a_daemon_that_comes_late_says_that_it_assumes(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.look(3)
    assert "ASSUMED" in machine.explained()
    assert "what a restart would give back is not known" in machine.explained()


def test_before_the_first_look_there_is_nothing_to_explain(tmp_path: Path) -> None:
    assert Machine(tmp_path).explained() == "No sample has been taken yet."


def test_the_account_tells_everything_that_the_verdict_is_made_of(machine: Machine) -> None:
    machine.look(3)
    machine.hold(6 * GIB, swap=MIB, file=8 * GIB)
    machine.look(2)
    text = machine.explained(State(cooldown_until=machine.now + 30))
    for part in (
        "qwen2:7b (pid 11): 6 GiB held, of it 1 MiB in swap, baseline 1 GiB (measured after loading)",
        "8 GiB of mapped files do not count",
        "host: 20 GiB of 24 GiB available; no limit around the engine",
        "growth of qwen2:7b: 5 GiB; soft 3.6 GiB (passed by 1.4 GiB), hard 4 GiB (passed by 1 GiB)",
        "available memory: 20 GiB; soft 2.4 GiB (17.6 GiB away), hard 1.2 GiB (18.8 GiB away)",
        "Verdict: hard",
        "no restart, although one is due",
        "another 30 s",
        "a restart would give back about 5 GiB",
    ):
        assert part in text


def test_the_account_says_what_would_be_done_and_that_nothing_forbids_it(machine: Machine) -> None:
    machine.look(3)
    assert "\n  nothing\n  because memory is below every threshold" in machine.explained()
    machine.hold(6 * GIB)
    machine.look(2)
    text = machine.explained(State(budget_left=2))
    assert "\n  restart the engine\n" in text
    assert "nothing; restarts left in the budget: 2" in text


def test_the_account_names_limit_cards_disks_and_pulls() -> None:
    seen = sample(child(GIB), at=5)
    host = replace(
        seen.host,
        swap_total_bytes=GIB,
        swap_used_bytes=MIB,
        limit_bytes=4 * GIB,
        limit_used_bytes=GIB,
        limit_source="x/y",
    )
    gpu = Gpu(0, "Card", "GPU-0", 24 * GIB, 6 * GIB)
    seen = replace(seen, host=host, gpus=(gpu,), disks=(Disk("/m", 9 * GIB, GIB),), pulling=True)
    text = "\n".join(account(View(seen, baselines([]), resolve(Memory(), host), Verdict()), State(), 10))
    for part in (
        "5 s old",
        "1 MiB of 1 GiB swap used; 1 GiB of the engine's limit of 4 GiB used without file cache (x/y)",
        "GPU 0 (Card): 6 GiB of 24 GiB used",
        "disk of /m: 1 GiB of 9 GiB free",
        "a model is being pulled",
        "no baseline yet",
    ):
        assert part in text


def rows(metrics: list[Metric]) -> dict[tuple[str, str], float]:
    return {
        (each.name, next(iter(each.labels.values()), "")): each.value
        for metric in metrics
        for each in metric.samples
    }


def test_a_sample_is_shown_to_prometheus_under_the_public_names() -> None:
    grown = sample(child(3 * GIB), child(GIB, 102, "n:1"), rest=MIB)
    found = rows(list(families(grown, baselines([child(GIB)]), {"m:1": "public"})))
    assert found["ia0_engine_held_bytes", "public"] == 3 * GIB
    assert found["ia0_engine_growth_bytes", "public"] == 2 * GIB
    assert found["ia0_engine_held_bytes", "n:1"] == GIB
    assert found["ia0_engine_growth_bytes", "n:1"] == 0
    assert found["ia0_engine_total_held_bytes", ""] == 4 * GIB + MIB
    assert found["ia0_host_available_bytes", ""] == 20 * GIB
    assert ("ia0_limit_bytes", "") not in found


def test_cards_and_disks_are_shown_each_by_its_name() -> None:
    gpus = (Gpu(0, "Card", "GPU-0", 24 * GIB, GIB, 50, None), Gpu(1, "Card", "GPU-1", 24 * GIB, 2 * GIB))
    full = replace(sample(), gpus=gpus, disks=(Disk("/m", 9, 4),), pulling=True)
    found = rows(list(families(full, baselines([]))))
    assert (found["ia0_gpu_used_bytes", "0"], found["ia0_gpu_used_bytes", "1"]) == (GIB, 2 * GIB)
    assert found["ia0_gpu_utilization_percent", "0"] == 50
    assert ("ia0_gpu_utilization_percent", "1") not in found
    assert (found["ia0_disk_free_bytes", "/m"], found["ia0_engine_pulling", ""]) == (4, 1)


def test_prometheus_is_shown_nothing_before_the_first_look_and_the_last_one_then(machine: Machine) -> None:
    shown = MemoryMetrics(lambda: None, dict)
    assert list(shown.describe()) == list(shown.collect()) == []
    machine.look(3)
    shown = MemoryMetrics(lambda: machine.sense.view, lambda: {"qwen2:7b": "qwen2-7b"})
    assert rows(list(shown.collect()))["ia0_engine_held_bytes", "qwen2-7b"] == GIB
