"""Carries blobs between a models folder on the controller and one on a host, in pieces.

    fetch: host -> controller   send: controller -> host   (into .ia0/incoming)

Owns the way of the bytes: through the connection that Ansible has, a piece at a
time, so that neither side needs room for a second copy and a broken-off carrying
goes on where it was. Whether the bytes are right is models_place's question.
"""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

PIECE_BYTES = 128 << 20
SAY_EVERY_S = 30
OPTIONS = {
    "direction": {"type": "str", "required": True, "choices": ["fetch", "send"]},
    "controller_path": {"type": "path", "default": ""},
    "host_path": {"type": "path", "required": True},
    # digest, size, came (bytes that an earlier carrying left), damaged, file (where it is no blob)
    "blobs": {"type": "list", "elements": "dict", "required": True},
    "what": {"type": "str", "required": True},
    # Whose a folder is that the host has not yet.
    "owner": {"type": "str", "default": ""},
    "group": {"type": "str", "default": ""},
}

display = Display()


class ActionModule(ActionBase):
    """What Ansible looks for."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Carry what is missing; how many bytes that were."""
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._said = time.monotonic()
        _, self._given = self.validate_argument_spec(argument_spec=OPTIONS)
        blobs = self._given["blobs"]
        if self._task.check_mode:
            return {"changed": bool(blobs), "bytes": sum(blob["size"] for blob in blobs)}
        carry = self._fetch if self._given["direction"] == "fetch" else self._send
        carried = carry(blobs)
        return {"changed": carried > 0, "bytes": carried}

    def _fetch(self, blobs: list[dict[str, Any]]) -> int:
        folder = Path(self._given["controller_path"])
        incoming = folder / ".ia0" / "incoming"
        incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        carried = 0
        # Several hosts may ask for the same model: the first one fetches it, the others find it.
        with (folder / ".ia0" / "fetch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for blob in blobs:
                if blob.get("damaged") or not (folder / "blobs" / file_name(blob)).exists():
                    carried += self._fetch_blob(blob, incoming / file_name(blob))
        return carried

    def _fetch_blob(self, blob: dict[str, Any], target: Path) -> int:
        start = target.stat().st_size if target.exists() else 0
        with target.open("ab") as file, self._local_piece() as piece, self._remote_piece() as remote:
            for at in range(start, blob["size"], PIECE_BYTES):
                self._module("cut", blob, start=at, size=PIECE_BYTES, piece=remote)
                self._connection.fetch_file(remote, str(piece))
                file.write(piece.read_bytes())
                self._say(blob, at + PIECE_BYTES)
        return blob["size"] - start

    def _send(self, blobs: list[dict[str, Any]]) -> int:
        return sum(self._send_blob(blob, blob.get("came", 0)) for blob in blobs)

    def _send_blob(self, blob: dict[str, Any], start: int) -> int:
        source = Path(blob.get("file") or Path(self._given["controller_path"], "blobs", file_name(blob)))
        with source.open("rb") as file, self._local_piece() as piece, self._remote_piece() as remote:
            for at in range(start, blob["size"], PIECE_BYTES):
                file.seek(at)
                piece.write_bytes(file.read(PIECE_BYTES))
                self._transfer_file(str(piece), remote)
                owner = {key: self._given[key] for key in ("owner", "group")}
                self._module("append", blob, start=at, piece=remote, **owner)
                self._say(blob, at + PIECE_BYTES)
        return blob["size"] - start

    @contextmanager
    def _local_piece(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="models-") as folder:
            yield Path(folder, "piece")

    @contextmanager
    def _remote_piece(self) -> Iterator[str]:
        """A file in the task's own folder on the host, which Ansible makes and this removes."""
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        folder = self._connection._shell.tmpdir
        try:
            yield self._connection._shell.join_path(folder, "piece")
        finally:
            self._remove_tmp_path(folder, force=True)
            self._connection._shell.tmpdir = None

    def _module(self, action: str, blob: dict[str, Any], **more: Any) -> dict[str, Any]:
        arguments = {"action": action, "path": self._given["host_path"], "digest": blob["digest"], **more}
        result = self._execute_module(module_name="models_place", module_args=arguments, task_vars=self._vars)
        if result.get("failed"):
            raise AnsibleActionFail(f"{self._given['what']}: {result.get('msg')}", result=result)
        return result

    def _say(self, blob: dict[str, Any], done: int) -> None:
        if time.monotonic() - self._said < SAY_EVERY_S:
            return
        self._said = time.monotonic()
        share = min(100, 100 * done // blob["size"])
        host, way = self._vars["inventory_hostname"], self._given["direction"]
        of = f"{share} % of {blob['size'] / 1e9:.2f} GB"
        display.display(f"{host}: {self._given['what']}: {way} {blob['digest'][:19]}, {of}")


def file_name(blob: dict[str, Any]) -> str:
    """The blob's file in a models folder."""
    return str(blob["digest"]).replace(":", "-")
