"""What `systemctl show` prints of a unit that runs, with changes; recorded on Debian 13 (systemd 257)."""

from __future__ import annotations

RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "MainPID": "4242",
    "Result": "success",
    "ExecMainCode": "0",
    "ExecMainStatus": "0",
    "InvocationID": "0f3a6b7d0e6a4f5e9d0a1b2c3d4e5f60",
    "ControlGroup": "/system.slice/ollama.service",
    "MemoryCurrent": "97337344",
    "MemoryMax": "infinity",
    "MemoryHigh": "infinity",
    "NRestarts": "0",
}


def shown(**changes: str) -> str:
    """The text."""
    return "".join(f"{name}={value}\n" for name, value in {**RUNNING, **changes}.items())
