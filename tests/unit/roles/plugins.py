"""The filters of a role, loaded as Ansible loads them: from a file that belongs to no package."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

ROLES = Path(__file__).resolve().parents[3] / "roles"


def load(role: str, name: str) -> Any:
    """One module of `roles/<role>/filter_plugins`."""
    path = ROLES / role / "filter_plugins" / f"{name}.py"
    spec = spec_from_file_location(f"{role}_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
