"""What the vendors' programs say of the GPUs, read strictly.

    nvidia-smi's CSV | rocm-smi's JSON | amd-smi's JSON -> [{index, name, driver, memory_bytes, persistence}]

Owns the formats. A line that is not as it should be is an error, never skipped: a GPU that is not
counted would be missed only under load.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError

if TYPE_CHECKING:
    from collections.abc import Callable

# As the role asks: --query-gpu=index,name,driver_version,memory.total,persistence_mode, no header, no units.
NVIDIA_LINE = re.compile(
    r"(?P<index>\d+), (?P<name>[^,]+), (?P<driver>\d+(?:\.\d+)+), (?P<mib>\d+), "
    r"(?P<persistence>Enabled|Disabled)"
)
MIB = 1024**2
# amd-smi's "MB" are the driver's MiB: an MI300X with 192 GiB says 196592.
AMD_UNITS = {"B": 1, "KB": 1024, "MB": MIB, "GB": 1024 * MIB}


def nvidia(text: str) -> list[dict[str, Any]]:
    """The GPUs in the CSV of nvidia-smi."""
    return [_nvidia_gpu(line) for line in text.strip().splitlines()]


def rocm(text: str) -> list[dict[str, Any]]:
    """The GPUs in the JSON of rocm-smi --showmeminfo vram --showproductname --showdriverversion."""
    said = _json("rocm-smi", text)
    driver = said.get("system", {}).get("Driver version", "")
    cards = sorted((int(name[4:]), card) for name, card in said.items() if re.fullmatch(r"card\d+", name))
    return [_rocm_gpu(index, card, driver) for index, card in cards]


def amd(text: str) -> list[dict[str, Any]]:
    """The GPUs in the JSON of amd-smi static: a list, which newer versions wrap in "gpu_data"."""
    said = _json("amd-smi", text)
    return [_amd_gpu(gpu) for gpu in (said["gpu_data"] if isinstance(said, dict) else said)]


def missing(gpus: list[dict[str, Any]], count: int, driver: str, memory_bytes: int) -> list[str]:
    """One sentence for each thing that was declared and is not there; 0 and "" declare nothing."""
    found = []
    if count and len(gpus) != count:
        found.append(f"gpu_expected_count is {count}, and the driver shows {len(gpus)}")
    for gpu in gpus:
        who = f"GPU {gpu['index']} ({gpu['name']})"
        if driver and _version(gpu["driver"]) < _version(driver):
            found.append(f"{who} has driver {gpu['driver']}, gpu_driver_at_least is {driver}")
        if gpu["memory_bytes"] < memory_bytes:
            found.append(
                f"{who} has {gpu['memory_bytes']} bytes of memory, gpu_memory_bytes is {memory_bytes}"
            )
    return found


def _nvidia_gpu(line: str) -> dict[str, Any]:
    match = NVIDIA_LINE.fullmatch(line.strip())
    if match is None:
        raise AnsibleFilterError(
            f"nvidia-smi wrote {line!r}, which is not: index, name, driver_version, memory.total, "
            "persistence_mode"
        )
    return {
        "index": int(match["index"]),
        "name": match["name"],
        "driver": match["driver"],
        "memory_bytes": int(match["mib"]) * MIB,
        "persistence": match["persistence"] == "Enabled",
    }


def _rocm_gpu(index: int, card: dict[str, str], driver: str) -> dict[str, Any]:
    try:
        memory_bytes = int(card["VRAM Total Memory (B)"])
    except (KeyError, ValueError):
        raise AnsibleFilterError(
            f"rocm-smi names no 'VRAM Total Memory (B)' for card{index}: {card}"
        ) from None
    # Its first letters were lower case until ROCm 5.
    name = card.get("Card Series") or card.get("Card series") or "AMD"
    return {"index": index, "name": name, "driver": driver, "memory_bytes": memory_bytes, "persistence": None}


def _amd_gpu(gpu: dict[str, Any]) -> dict[str, Any]:
    try:
        size = gpu["vram"]["size"]
        return {
            "index": gpu["gpu"],
            "name": gpu["asic"]["market_name"],
            "driver": gpu["driver"].get("version") or gpu["driver"].get("driver_version", ""),
            "memory_bytes": int(size["value"]) * AMD_UNITS[size["unit"]],
            "persistence": None,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"amd-smi names no {error} for a GPU: {gpu}") from None


def _json(program: str, text: str) -> Any:
    # rocm-smi writes its warnings in front of the JSON.
    begin = min((place for place in (text.find("{"), text.find("[{")) if place >= 0), default=0)
    try:
        return json.loads(text[begin:])
    except ValueError as error:
        raise AnsibleFilterError(f"{program} wrote no JSON ({error}): {text[:200]!r}") from None


def _version(text: str) -> list[int]:
    """The numbers at the beginning: amdgpu of the kernel calls itself "Linuxversion6.14.0-24-generic..."."""
    numbers = re.search(r"\d+(?:\.\d+)*", text)
    return [int(part) for part in numbers[0].split(".")] if numbers else []


class FilterModule:
    """What the role's tasks call."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """The filters by their names."""
        return {"gpu_nvidia": nvidia, "gpu_rocm": rocm, "gpu_amd": amd, "gpu_missing": missing}
