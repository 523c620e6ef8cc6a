"""The memory's metrics, settings and defaults stand in the documents as they are."""

from __future__ import annotations

import re

import msgspec

from ia0_daemon.settings.schema import Memory
from ia0_daemon.supervisor.baseline import Baselines
from ia0_daemon.supervisor.memory_metrics import families
from ia0_daemon.supervisor.samples import Disk, EngineTree, Gpu, Host, Sample
from ia0_daemon.supervisor.verdicts import Measure
from tests.contract.roles import REPOSITORY

METRICS = (REPOSITORY / "docs/metrics.md").read_text("utf-8")
PAGE = (REPOSITORY / "docs/supervisor.md").read_text("utf-8")
EVERYTHING = Sample(
    0.0,
    EngineTree(1, 0),
    Host(1, 1, limit_bytes=1, limit_used_bytes=0),
    (Gpu(0, "", "", 1, 0, 1, 1),),
    (Disk("/", 1, 1),),
)


def test_every_metric_of_the_memory_is_documented_with_its_labels() -> None:
    shown = {family.name for family in families(EVERYTHING, Baselines())}
    told = {name for name in re.findall(r"^\| `(ia0_\w+)` \| gauge \|", METRICS, re.M) if name in shown}
    assert shown - told == set()


def test_every_setting_of_the_memory_is_explained() -> None:
    names = msgspec.structs.asdict(Memory())
    assert [name for name in names if f"memory.{name}" not in PAGE] == []


def test_the_defaults_in_the_table_are_those_of_the_schema() -> None:
    memory = Memory()
    for measure in Measure:
        soft, hard = (getattr(memory, f"{measure}_{level}") for level in ("soft", "hard"))
        row = f"`memory.{measure}_soft`, `memory.{measure}_hard` | {soft}, {hard} |".replace("%", " %")
        assert row in PAGE
