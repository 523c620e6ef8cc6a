#!/usr/bin/python
"""Ansible module: hands pieces of blobs out or takes them in, and puts a model in place when it is whole.

    cut: blob -> piece   append: piece -> blob that comes in   place: verified, renamed, the manifest last

The role's action plugin models_carry calls cut and append; the tasks call place.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.models_folder import (
    FolderError,
    append,
    blob_file,
    copy_range,
    incoming_file,
    locked,
    make_own_folder,
    place,
    rename_blob,
    verify_incoming,
)

OPTIONS = {
    # What to do.
    "action": {"type": "str", "required": True, "choices": ["cut", "append", "place", "place_blob"]},
    # The models folder.
    "path": {"type": "path", "required": True},
    # The blob.
    "digest": {"type": "str", "default": ""},
    # cut: another file than the blob to cut from.
    "file": {"type": "path", "default": ""},
    # First byte of the piece.
    "start": {"type": "int", "default": 0},
    # Bytes of the piece.
    "size": {"type": "int", "default": 0},
    # File of the piece.
    "piece": {"type": "path", "default": ""},
    # place: the model.
    "tag": {"type": "str", "default": ""},
    # place: its manifest, base64.
    "manifest": {"type": "str", "default": ""},
    # Owner of what is placed.
    "owner": {"type": "str", "default": ""},
    # Group of what is placed.
    "group": {"type": "str", "default": ""},
}


def cut(params: dict[str, Any]) -> dict[str, Any]:
    """Write a piece of a blob into a file that the login user may fetch."""
    source = params["file"] or blob_file(params["path"], params["digest"])
    copy_range(source, params["start"], params["size"], params["piece"])
    Path(params["piece"]).chmod(0o644)
    return {"changed": False}


def take_in(params: dict[str, Any]) -> dict[str, Any]:
    """Put a piece behind what came in before."""
    make_own_folder(params["path"], owner_of(params))
    target = incoming_file(params["path"], params["digest"])
    return {"changed": True, "size": append(params["piece"], target, params["start"])}


def place_model(params: dict[str, Any]) -> dict[str, Any]:
    """Put a model in place whose blobs are there or came in."""
    with locked(params["path"]):
        data = base64.b64decode(params["manifest"])
        return {"changed": place(params["path"], data, params["tag"], owner_of(params))}


def place_blob(params: dict[str, Any]) -> dict[str, Any]:
    """Put one blob in place that came in; a model is made of it afterwards."""
    with locked(params["path"]):
        path = incoming_file(params["path"], params["digest"])
        if not path.exists():
            return {"changed": False}
        verify_incoming(path, params["digest"])
        rename_blob(params["path"], path, params["digest"], owner_of(params))
        return {"changed": True}


def owner_of(params: dict[str, Any]) -> tuple[str, str] | None:
    """User and group of what is placed, None for whoever runs this."""
    return (params["owner"], params["group"]) if params["owner"] else None


ACTIONS = {"cut": cut, "append": take_in, "place": place_model, "place_blob": place_blob}


def main() -> None:
    """Answer once."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        module.exit_json(**ACTIONS[module.params["action"]](module.params))
    except (FolderError, OSError, LookupError, ValueError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
