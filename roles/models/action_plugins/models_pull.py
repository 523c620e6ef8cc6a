"""Runs the module models_pull in the background on the host and shows how far it is.

    start -> every few seconds: finished? how far? -> what the module returned

Owns the lines of progress: one each 30 s. Ansible's own async shows only that it waits.
"""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Between two looks: soon for a small model, then the longer the less it matters.
FIRST_POLL_S, POLL_S = 0.25, 2.0
SAY_EVERY_S = 30
# The module ends by its own time limit; this is only for one that hangs.
MARGIN_S = 120
# What async_status adds to what the module returned.
JOB_KEYS = {"ansible_job_id", "results_file", "started", "finished"}
JOB_KEYS |= {"stdout", "stderr", "stdout_lines", "stderr_lines"}

display = Display()


class ActionModule(ActionBase):
    """What Ansible looks for."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; its result."""
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        if self._task.check_mode:
            return self._execute_module(module_args=dict(self._task.args), task_vars=self._vars)
        name = re.sub(r"[^\w.-]", "-", self._task.args["tag"])
        self._progress_path = f"{self._task.args['path']}/.ia0/progress-{name}.json"
        job = self._start()
        if job.get("failed"):
            return job
        return self._wait(job["ansible_job_id"])

    def _start(self) -> dict[str, Any]:
        arguments = {**self._task.args, "progress_path": self._progress_path}
        self._task.async_val = int(arguments.get("time_limit_s", 14400)) + MARGIN_S
        try:
            return self._execute_module(module_args=arguments, task_vars=self._vars, wrap_async=True)
        finally:
            # Ansible would wait for the job by itself, without a word of how far it is.
            self._task.async_val = 0

    def _wait(self, job: str) -> dict[str, Any]:
        said, pause = time.monotonic(), FIRST_POLL_S
        while True:
            result = self._status(job, "status")
            if result.get("finished"):
                self._status(job, "cleanup")
                return {key: value for key, value in result.items() if key not in JOB_KEYS}
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                self._say()
            time.sleep(pause)  # Ansible tells of an asynchronous job only to who asks
            pause = min(2 * pause, POLL_S)

    def _status(self, job: str, mode: str) -> dict[str, Any]:
        path = self._remote_expand_user(self.get_shell_option("async_dir", default="~/.ansible_async"))
        arguments = {"jid": job, "mode": mode, "_async_dir": path}
        return self._execute_module(
            module_name="ansible.legacy.async_status", module_args=arguments, task_vars=self._vars
        )

    def _say(self) -> None:
        arguments = {"src": self._progress_path}
        read = self._execute_module(
            module_name="ansible.legacy.slurp", module_args=arguments, task_vars=self._vars
        )
        if "content" in read:
            told = json.loads(base64.b64decode(read["content"]))
            display.display(f"{self._vars['inventory_hostname']}: {self._task.args['tag']}: {line_of(told)}")


def line_of(told: dict[str, Any]) -> str:
    """How far a pull is, for people."""
    parts = [told["status"]]
    if told["total"]:
        share = 100 * told["completed"] // told["total"]
        parts.append(f"{told['completed'] / 1e9:.2f} of {told['total'] / 1e9:.2f} GB ({share} %)")
    if told["trouble"]:
        parts.append(f"try {told['tries']}, before: {told['trouble']}")
    return ", ".join(parts)
