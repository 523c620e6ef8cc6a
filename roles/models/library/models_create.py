#!/usr/bin/python
"""Ansible module: make a model of a GGUF blob with a Modelfile's fields, unless it is so already.

layers on the disk as wanted? -> blob there? else from `file` -> /api/create -> layers as wanted?
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.models_engine import Engine, EngineError
from ansible.module_utils.models_folder import blob_file, drop_damaged, manifest_file

OPTIONS = {
    # URL of the engine.
    "engine_url": {"type": "str", "required": True},
    # The engine's models folder.
    "path": {"type": "path", "required": True},
    # Name of the model.
    "tag": {"type": "str", "required": True},
    # Digest of the GGUF file.
    "digest": {"type": "str", "required": True},
    # The GGUF file on this host; empty when the blob is there already.
    "file": {"type": "path", "default": ""},
    # template, system, parameters and license, as a Modelfile has them.
    "fields": {"type": "dict", "default": {}},
    # Digests of blobs to be removed before.
    "damaged": {"type": "list", "elements": "str", "default": []},
    # Time for the model.
    "time_limit_s": {"type": "int", "default": 14400},
}
# Digest and file.
Layer = tuple[str, Path]

PREFIX = "application/vnd.ollama.image."


def layers_of(root: str, tag: str) -> dict[str, list[Layer]]:
    """The model's layers by kind, each a list of (digest, blob)."""
    try:
        manifest = json.loads(manifest_file(root, tag).read_bytes())
    except (OSError, ValueError):
        return {}
    found: dict[str, list[Layer]] = {}
    for layer in manifest["layers"]:
        kind = layer["mediaType"].removeprefix(PREFIX)
        found.setdefault(kind, []).append((layer["digest"], blob_file(root, layer["digest"])))
    return found


def differences(params: dict[str, Any]) -> list[str]:
    """What of the model is not as wanted, by the names of a Modelfile's fields."""
    layers, fields = layers_of(params["path"], params["tag"]), params["fields"]
    if not layers:
        return ["model"]
    try:
        checks = {
            "weights": [digest for digest, _ in layers.get("model", [])] == [params["digest"]],
            "template": _is_text(layers.get("template", []), fields.get("template")),
            "system": _is_text(layers.get("system", []), fields.get("system")),
            "license": _is_text(layers.get("license", []), fields.get("license")),
            "parameters": _has_parameters(layers.get("params", []), fields.get("parameters") or {}),
        }
    except OSError as error:
        return [f"{error.filename} cannot be read"]
    return [name for name, is_so in checks.items() if not is_so]


def _is_text(layers: list[Layer], wanted: str | None) -> bool:
    """Whether a text is there as wanted; where none is wanted, the engine's own choice is right."""
    return not wanted or [path.read_text(encoding="utf-8") for _, path in layers] == [wanted]


def _has_parameters(layers: list[Layer], wanted: dict[str, Any]) -> bool:
    """Whether the wanted parameters are set; the engine adds some of its own."""
    there = json.loads(layers[-1][1].read_bytes()) if layers else {}
    return all(
        there.get(key) == (value if key != "stop" else _as_list(value)) for key, value in wanted.items()
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def make(params: dict[str, Any]) -> None:
    """Bring the blob if it is missing, and make the model."""
    engine = Engine(params["engine_url"])
    drop_damaged(params["path"], params["damaged"])
    if not engine.has_blob(params["digest"]):
        if not params["file"]:
            raise EngineError(f"the blob {params['digest']} is not there")
        engine.bring_blob(params["digest"], params["file"], params["time_limit_s"])
    given = {name: value for name, value in params["fields"].items() if value}
    body = {"model": params["tag"], "files": {"weights.gguf": params["digest"]}, **given}
    engine.create(body, params["time_limit_s"])
    if left := differences(params):
        raise EngineError(
            f"the engine made it, but {', '.join(left)} below {params['path']} is not as wanted"
        )


def main() -> None:
    """Answer once."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    differing = differences(module.params) + [f"damaged {digest}" for digest in module.params["damaged"]]
    try:
        if differing and not module.check_mode:
            make(module.params)
    except (EngineError, OSError) as error:
        module.fail_json(msg=f"{module.params['tag']}: {error}")
    module.exit_json(changed=bool(differing), differences=differing)


if __name__ == "__main__":
    main()
