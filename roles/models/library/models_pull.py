#!/usr/bin/python
"""Ansible module: bring one model from a registry, by the engine's own pull.

    damaged blobs away -> pull (watched; again after a pause while it can help) -> digest as wanted?

The role's action plugin of this name runs it in the background and shows what `progress_path` says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.models_engine import Engine, EngineError
from ansible.module_utils.models_folder import (
    drop_damaged,
    free_bytes,
    make_own_folder,
    read_model,
    replace_file,
)

OPTIONS = {
    # URL of the engine.
    "engine_url": {"type": "str", "required": True},
    # The engine's models folder.
    "path": {"type": "path", "required": True},
    # The model.
    "tag": {"type": "str", "required": True},
    # What the manifest's digest must be, 64 hex digits; empty for any.
    "digest": {"type": "str", "default": ""},
    # Digests of blobs to be removed before.
    "damaged": {"type": "list", "elements": "str", "default": []},
    # So long no byte may come before the pull is begun again.
    "stall_s": {"type": "int", "default": 120},
    # Time for the model.
    "time_limit_s": {"type": "int", "default": 14400},
    # Tries in a row that bring no byte.
    "tries": {"type": "int", "default": 5},
    # Pause before the second try; doubled each time, at most 60.
    "pause_s": {"type": "int", "default": 5},
    # File that says how far it is.
    "progress_path": {"type": "path", "default": ""},
}
LONGEST_PAUSE_S = 60


class Pull:
    """One model on its way."""

    def __init__(self, params: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> None:
        self._params = params
        self._engine = Engine(params["engine_url"])
        self._sleep = sleep
        self._deadline = time.monotonic() + params["time_limit_s"]
        self._completed: dict[str, int] = {}
        self._checked: set[str] = set()
        self._tries, self._total_tries, self._said = 0, 0, 0.0
        self._trouble = ""

    def run(self) -> int:
        """Pull until the model is there; how many tries it took."""
        while True:
            before = sum(self._completed.values())
            self._total_tries += 1
            try:
                self._engine.pull(self._params["tag"], self._params["stall_s"], self._deadline, self._report)
            except EngineError as error:
                self._count(error, came=sum(self._completed.values()) > before)
            else:
                return self._total_tries

    def _count(self, error: EngineError, *, came: bool) -> None:
        """Raise when another try cannot help; else pause, the longer the more tries brought nothing."""
        self._tries = 1 if came else self._tries + 1
        self._trouble = str(error)
        if error.fatal or self._tries >= self._params["tries"]:
            raise error
        self._write("waiting for another try", 0, 0)
        self._sleep(min(self._params["pause_s"] * 2 ** (self._tries - 1), LONGEST_PAUSE_S))

    def _report(self, status: str, digest: str, completed: int, total: int) -> None:
        if digest:
            self._check_space(digest, total - completed)
            self._completed[digest] = max(completed, self._completed.get(digest, 0))
        if time.monotonic() - self._said >= 1:
            self._write(status, completed, total)

    def _check_space(self, digest: str, needed: int) -> None:
        """The engine tells a blob's size before its bytes: end it there rather than on a full disk."""
        if digest in self._checked:
            return
        self._checked.add(digest)
        free = free_bytes(self._params["path"])
        if needed > free:
            where = f"no room in models_dir_path={self._params['path']}"
            text = f"{where}: {needed} bytes are needed, {free} are free; make room, or choose another folder"
            raise EngineError(text, fatal=True)

    def _write(self, status: str, completed: int, total: int) -> None:
        self._said = time.monotonic()
        if self._params["progress_path"]:
            told = {"status": status, "completed": completed, "total": total}
            told |= {"tries": self._total_tries, "trouble": self._trouble}
            replace_file(Path(self._params["progress_path"]), json.dumps(told).encode())


def bring(params: dict[str, Any]) -> dict[str, Any]:
    """Bring the model; what the module returns."""
    drop_damaged(params["path"], params["damaged"])
    make_own_folder(params["path"])
    start = time.monotonic()
    tries = Pull(params).run()
    model = read_model(params["path"], params["tag"])
    check(params, model)
    size = sum(blob["size"] for blob in model["blobs"])
    return {
        "digest": model["digest"],
        "bytes": size,
        "tries": tries,
        "seconds": round(time.monotonic() - start, 1),
    }


def check(params: dict[str, Any], model: dict[str, Any]) -> None:
    """Whether what came is what was wanted, and where it was expected."""
    if not model["present"]:
        raise EngineError(f"the engine has it, but there is no manifest of it below {params['path']}")
    if params["digest"] and model["digest"] != params["digest"]:
        came = f"the registry's digest is {model['digest']}, wanted is {params['digest']}"
        raise EngineError(f"{came}; correct digest in models_wanted of the inventory")


def main() -> None:
    """Answer once."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, msg=f"{params['tag']} would be brought from its registry")
    try:
        module.exit_json(changed=True, **bring(params))
    except EngineError as error:
        module.fail_json(msg=f"{params['tag']}: {error}")
    finally:
        if params["progress_path"]:
            Path(params["progress_path"]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
