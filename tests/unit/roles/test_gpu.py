"""What the vendors' programs say is read strictly; what the host shows becomes a cause and a remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from tests.unit.roles.plugins import load

tools = load("gpu", "gpu_tools")
diagnose = load("gpu", "gpu_diagnosis").diagnosis

# An A10 with driver 550.127.05: what leptonai/gpud publishes of it (e2e/mock/nvidia-smi).
A10 = "0, NVIDIA A10, 550.127.05, 23028, Enabled"
# `amd-smi static --json` of an MI210, as published in a GPU exporter's tests; shortened.
KERNEL = "Linuxversion6.14.0-24-generic(buildd@lcy02-amd64-010)(x86_64-linux-gnu-gcc-13"
MI210 = {
    "gpu": 0,
    "asic": {"market_name": "AMD Instinct MI210", "vendor_id": "0x1002", "target_graphics_version": "gfx90a"},
    "driver": {"name": "amdgpu", "version": KERNEL},
    "vram": {"type": "HBM", "vendor": "HYNIX", "size": {"value": 65520, "unit": "MB"}, "bit_width": 4096},
}
# `rocm-smi --json` of an MI210, likewise.
ROCM = {
    "card0": {"Card series": "Instinct MI210", "VRAM Total Memory (B)": "68702699520"},
    "system": {"Driver version": "6.7.0"},
}

HEALTHY = {
    "vendor": "nvidia",
    "unit": "ollama.service",
    "user": "ollama",
    "tool_there": True,
    "tool_says": A10,
    "nodes": ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"],
    "kfd": False,
    "uvm": True,
    "groups": ["ollama", "render", "video"],
    "refused": [],
    "container": "",
    "private_devices": False,
    "node_since": 100,
    "engine_since": 200,
    "journal_cpu": "",
}


def causes(**changed: Any) -> str:
    return " | ".join(diagnose({**HEALTHY, **changed}))


def test_nvidia_smi_says_index_name_driver_memory_and_persistence() -> None:
    assert tools.nvidia(A10 + "\n") == [
        {
            "index": 0,
            "name": "NVIDIA A10",
            "driver": "550.127.05",
            "memory_bytes": 23028 * 1024**2,
            "persistence": True,
        }
    ]


@pytest.mark.parametrize(
    "line",
    [
        "0, NVIDIA A10, 550.127.05, 23028 MiB, Enabled",
        "0, NVIDIA A10, 550.127.05, [N/A], Enabled",
        "0, NVIDIA A10, 550.127.05, 23028",
        "Unable to determine the device handle for GPU0000:06:00.0: Unknown Error",
    ],
)
def test_a_line_of_another_form_is_an_error(line: str) -> None:
    with pytest.raises(AnsibleFilterError, match="nvidia-smi wrote"):
        tools.nvidia(f"{A10}\n{line}")


@pytest.mark.parametrize("wrapped", [[MI210], {"gpu_data": [MI210]}])
def test_amd_smi_is_read_with_and_without_its_wrapper(wrapped: object) -> None:
    (gpu,) = tools.amd(json.dumps(wrapped))
    assert (gpu["name"], gpu["memory_bytes"]) == ("AMD Instinct MI210", 65520 * 1024**2)


def test_rocm_smi_is_read_behind_its_warnings() -> None:
    (gpu,) = tools.rocm("WARNING: AMD GPU device(s) is/are in a low-power state.\n" + json.dumps(ROCM))
    assert (gpu["name"], gpu["driver"], gpu["memory_bytes"]) == ("Instinct MI210", "6.7.0", 68702699520)


def test_a_card_without_memory_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="card0"):
        tools.rocm('{"card0": {"Card series": "Instinct MI210"}}')


def test_nothing_is_missing_where_the_declaration_holds() -> None:
    assert tools.missing(tools.nvidia(A10), 1, "550.54", 24_000_000_000) == []


@pytest.mark.parametrize(
    ("count", "driver", "memory_bytes", "named"),
    [
        (2, "", 0, "gpu_expected_count is 2"),
        (0, "550.127.6", 0, "gpu_driver_at_least is 550.127.6"),
        (0, "", 48_000_000_000, "gpu_memory_bytes is 48000000000"),
    ],
)
def test_what_is_missing_is_named(count: int, driver: str, memory_bytes: int, named: str) -> None:
    (sentence,) = tools.missing(tools.nvidia(A10), count, driver, memory_bytes)
    assert named in sentence


def test_a_driver_is_compared_by_its_numbers() -> None:
    assert tools.missing(tools.amd(json.dumps([MI210])), 1, "6.8", 0) == []


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"tool_there": False}, "nvidia.nvidia_driver"),
        (
            {"tool_says": "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."},
            "modprobe nvidia",
        ),
        ({"tool_says": "Failed to initialize NVML: Driver/library version mismatch"}, "boot the host"),
        ({"tool_says": "No devices were found"}, "lspci"),
        ({"uvm": False}, "modprobe nvidia_uvm"),
        ({"vendor": "amd"}, "/dev/kfd"),
        ({"container": "lxc", "nodes": []}, "toolkit"),
        ({"refused": ["/dev/nvidia0"]}, "usermod -aG render,video ollama"),
        ({"private_devices": True}, "systemctl cat ollama.service"),
        ({"node_since": 300}, "race at boot"),
        ({"journal_cpu": 'msg="inference compute" library=cpu'}, "-rocm"),
    ],
)
def test_each_symptom_has_its_remedy(changed: dict[str, Any], remedy: str) -> None:
    assert remedy in causes(**changed)


def test_without_a_symptom_there_is_still_a_place_to_look() -> None:
    assert "journalctl --unit ollama.service" in causes()
