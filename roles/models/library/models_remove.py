#!/usr/bin/python
"""Ansible module: remove one model through the engine, if its folder has it."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.models_engine import Engine, EngineError
from ansible.module_utils.models_folder import manifest_file

OPTIONS = {
    # URL of the engine.
    "engine_url": {"type": "str", "required": True},
    # The engine's models folder.
    "path": {"type": "path", "required": True},
    # The model.
    "tag": {"type": "str", "required": True},
}


def main() -> None:
    """Answer once."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    path = manifest_file(module.params["path"], module.params["tag"])
    is_there = path.is_file()
    try:
        if is_there and not module.check_mode:
            Engine(module.params["engine_url"]).delete(module.params["tag"])
    except EngineError as error:
        module.fail_json(msg=f"{module.params['tag']}: {error}")
    if is_there and not module.check_mode and path.is_file():
        module.fail_json(msg=f"{module.params['tag']}: the engine knows no such model, but {path} is there")
    module.exit_json(changed=is_there)


if __name__ == "__main__":
    main()
