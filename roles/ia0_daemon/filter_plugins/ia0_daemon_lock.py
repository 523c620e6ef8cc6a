"""The packages of the lock file that belong on a host, by the host's Python.

    lock file, version of Python -> the requirements that hold there, without their markers

A lock names some packages for some Pythons alone (`; python_full_version < '3.12'`). pip on the controller
reads such markers for the Python that it runs with itself, whatever it is told to download for. Owns that
choice; reads no file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.markers import Marker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A requirement, and below it the lines that belong to it, indented: its hashes and comments.
_REQUIREMENT = re.compile(
    r"^(?P<name>[^\s#;][^\s;]*)(?: *; *(?P<marker>[^\\\n]+?))?(?P<rest> *\\?\n(?:[ \t].*\n)*)", re.M
)


def lock_for(lock: str, python: Sequence[int], machine: str) -> str:
    """Give the requirements that hold on a Linux host; `python` is its version as three numbers."""
    environment = {
        "python_full_version": ".".join(map(str, python)),
        "python_version": ".".join(map(str, python[:2])),
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": machine,
        "platform_system": "Linux",
        "os_name": "posix",
        "sys_platform": "linux",
    }
    found = _REQUIREMENT.finditer(lock if lock.endswith("\n") else lock + "\n")
    return "".join(each["name"] + each["rest"] for each in found if _holds(each["marker"], environment))


def _holds(marker: str | None, environment: dict[str, str]) -> bool:
    return marker is None or Marker(marker).evaluate(environment)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name the filter."""
        return {"ia0_daemon_lock_for": lock_for}
