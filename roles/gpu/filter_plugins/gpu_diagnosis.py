"""Why there is no GPU, or why the engine does not use it, in sentences with their remedy.

    symptoms (what the role asked the host) -> [cause and what to do], the likeliest first

Pure. Owns the texts; what is asked, is in tasks/ask_symptoms.yml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DRIVER_ROLE = "NVIDIA's role nvidia.nvidia_driver (github.com/NVIDIA/ansible-role-nvidia-driver)"
# nvidia-smi's own words, and its exit status 9 and 18 (nvidia-smi --help).
NOT_LOADED = "couldn't communicate with the NVIDIA driver"
MISMATCH = "version mismatch"
NO_DEVICES = "No devices were found"


def diagnosis(symptoms: Mapping[str, Any]) -> list[str]:
    """Every cause that the symptoms show; a hint where to look where they show none."""
    causes = list(_driver(symptoms)) + list(_access(symptoms)) + list(_engine(symptoms))
    return causes or [
        "nothing is wrong that can be seen from outside; restart the engine, which looks for GPUs only at "
        f"its start, and read `journalctl --unit {symptoms['unit']}` from there"
    ]


def _driver(symptoms: Mapping[str, Any]) -> Iterator[str]:
    said = symptoms["tool_says"]
    if symptoms["vendor"] == "amd":
        if not symptoms["kfd"]:
            yield "there is no /dev/kfd: amdgpu is missing or too old; install it (amdgpu-install) and boot"
        return
    if not symptoms["tool_there"]:
        yield f"there is no nvidia-smi: the driver is not installed; {DRIVER_ROLE} does that; then boot"
    elif NOT_LOADED in said:
        yield (
            "the driver is installed, but its module is not loaded: `modprobe nvidia` and `dmesg` say why "
            "(a new kernel without its headers: `dkms status`; Secure Boot; nouveau in its place)"
        )
    elif MISMATCH in said:
        yield "the driver was upgraded while the old one is still loaded: boot the host"
    elif NO_DEVICES in said:
        yield (
            "the driver sees no device: `lspci -d 10de:` and `dmesg | grep -e NVRM -e Xid` say whether "
            "the card is there"
        )
    elif not symptoms["uvm"]:
        yield (
            "the module nvidia_uvm is not loaded, as after a suspend: `modprobe nvidia_uvm` "
            "(after a resume `rmmod nvidia_uvm` first), then restart the engine"
        )


def _access(symptoms: Mapping[str, Any]) -> Iterator[str]:
    user, groups = symptoms["user"], " ".join(symptoms["groups"]) or "none"
    if symptoms["container"] and not symptoms["nodes"]:
        yield (
            f"this host is a container ({symptoms['container']}) and was given no GPU: start it by "
            "the NVIDIA container toolkit (--device nvidia.com/gpu=all), or with --device /dev/kfd "
            "--device /dev/dri"
        )
    for node in symptoms["refused"]:
        yield (
            f"the user {user} may not open {node} (`ls -l {node}`); its groups are {groups}; add the node's "
            f"group, `usermod -aG render,video {user}`, then restart the engine"
        )


def _engine(symptoms: Mapping[str, Any]) -> Iterator[str]:
    unit = symptoms["unit"]
    if symptoms["private_devices"]:
        yield (
            f"{unit} has PrivateDevices=yes, which hides /dev/nvidia* and /dev/kfd: `systemctl cat {unit}` "
            "shows the drop-in that says so"
        )
    if symptoms["nodes"] and symptoms["node_since"] > symptoms["engine_since"] > 0:
        yield (
            "the device nodes came after the engine had looked for them (a race at boot): "
            f"`systemctl restart {unit}`, and let it wait for the GPU at its start (the role ollama does)"
        )
    if symptoms["journal_cpu"] and not symptoms["refused"]:
        yield (
            f"the engine found no GPU at its start ({symptoms['journal_cpu']}): `systemctl restart "
            f"{unit}` once the GPU is there; if it stays so, the release lacks the GPU's "
            "libraries (AMD needs the archive whose name ends in -rocm)"
        )


class FilterModule:
    """What the role's tasks call."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """The filter by its name."""
        return {"gpu_diagnosis": diagnosis}
