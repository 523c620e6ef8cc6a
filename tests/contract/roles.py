"""The roles as files, for the tests that hold them against each other."""

from __future__ import annotations

from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in (REPOSITORY / "roles").glob("*/tasks/main.yml"))


def defaults(role: Path) -> dict[str, object]:
    """What ``defaults/main.yml`` sets."""
    return read(role / "defaults" / "main.yml")


def options(role: Path) -> dict[str, dict[str, object]]:
    """The options of ``meta/argument_specs.yml``."""
    specs = read(role / "meta" / "argument_specs.yml")
    found = specs["argument_specs"]["main"]["options"]  # type: ignore[index]  # the shape that Ansible asks for
    assert isinstance(found, dict)
    return found


def read(path: Path) -> dict[str, object]:
    """One YAML file that is a mapping."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict), path
    return content
