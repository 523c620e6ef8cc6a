#!/usr/bin/python
"""Ansible module: what a models folder has of some models.

Changes nothing but its own notes of what was verified.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.models_folder import (
    Ledger,
    blob_file,
    damaged_blobs,
    free_bytes,
    incoming_file,
    read_model,
)

OPTIONS = {
    # The models folder.
    "path": {"type": "path", "required": True},
    # Models to look for.
    "tags": {"type": "list", "elements": "str", "required": True},
    # Blobs (digest, size) that are about to come.
    "blobs": {"type": "list", "elements": "dict", "default": []},
    # Which blobs are read.
    "audit": {"type": "str", "choices": ["always", "changed", "never"], "default": "changed"},
}


def state_of(root: str, tag: str, audit: str, ledger: Ledger) -> dict[str, Any]:
    """One model, and whether it is whole."""
    model = read_model(root, tag)
    model["damaged"] = damaged_blobs(root, model["blobs"], audit, ledger)
    model["whole"] = model["present"] and not model["missing"] and not model["damaged"]
    return model


def lacking_of(root: str, blobs: list[dict[str, Any]], audit: str, ledger: Ledger) -> list[dict[str, Any]]:
    """Those of the blobs that are not there whole, each with the bytes of it that came in earlier."""
    wanted = [{"digest": blob["digest"], "size": int(blob["size"])} for blob in blobs]
    damaged = damaged_blobs(root, wanted, audit, ledger)
    lacking = [blob for blob in wanted if blob in damaged or not blob_file(root, blob["digest"]).exists()]
    return [{**blob, "came": came_bytes(root, blob), "damaged": blob in damaged} for blob in lacking]


def came_bytes(root: str, blob: dict[str, Any]) -> int:
    """What an earlier carrying has left of a blob."""
    path = incoming_file(root, blob["digest"])
    return path.stat().st_size if path.exists() else 0


def main() -> None:
    """Answer once."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    root, audit = module.params["path"], module.params["audit"]
    ledger = Ledger(root)
    before = dict(ledger.known)
    models = {tag: state_of(root, tag, audit, ledger) for tag in module.params["tags"]}
    lacking = lacking_of(root, module.params["blobs"], audit, ledger)
    if ledger.known != before and not module.check_mode:
        ledger.write()
    needed = sum(blob["size"] - blob["came"] for blob in lacking)
    module.exit_json(
        changed=False, models=models, lacking=lacking, needed_bytes=needed, free_bytes=free_bytes(root)
    )


if __name__ == "__main__":
    main()
