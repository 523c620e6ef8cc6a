"""The models folder of an Ollama, in Ollama's own layout.

    manifests/<host>/<namespace>/<model>/<tag>  and  blobs/sha256-<hex>

Owns names, manifests, which blobs a model lacks or which are damaged, and how a
model is put in place: its blobs in a folder that Ollama never looks into, each
verified, then renamed, the manifest last. Never talks to an engine.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
# Beside manifests/ and blobs/, where Ollama's start-up prune does not look.
OWN_FOLDER = ".ia0"

Fields = dict[str, Any]
# User and group of what is written; None for whoever runs this.
Owner = tuple[str, str] | None

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PIECE = 1 << 20


class FolderError(Exception):
    """What is wrong with a models folder, for the operator."""


def parts_of(tag: str) -> tuple[str, str, str, str]:
    """``[host/][namespace/]model[:tag]`` as the four parts of the manifest's path."""
    path, colon, label = tag.rpartition(":")
    if not colon or "/" in label:
        path, label = tag, "latest"
    *prefix, model = path.split("/")
    namespace = prefix.pop() if prefix else DEFAULT_NAMESPACE
    return "/".join(prefix) or DEFAULT_HOST, namespace, model, label


def manifest_file(root: str | Path, tag: str) -> Path:
    """Where the manifest of this model lies or would lie."""
    return Path(root).joinpath("manifests", *parts_of(tag))


def blob_file(root: str | Path, digest: str) -> Path:
    """Where the blob of this digest lies or would lie."""
    if not _DIGEST.fullmatch(digest):
        raise FolderError(f"{digest} is not a digest of the form sha256:<64 hex digits>")
    return Path(root, "blobs", digest.replace(":", "-"))


def incoming_file(root: str | Path, digest: str) -> Path:
    """Where the blob of this digest waits until it is verified."""
    return Path(root, OWN_FOLDER, "incoming", blob_file(root, digest).name)


def sha256_of(path: str | Path) -> str:
    """The digest of a file, as Ollama writes it."""
    with Path(path).open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(path: str | Path) -> int:
    """What an unprivileged process may still write on the file system of this (future) folder."""
    path = Path(path)
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def blobs_of(manifest: Fields) -> list[Fields]:
    """Every blob of a manifest once, with its size, its configuration last."""
    layers = [*manifest.get("layers", []), manifest["config"]]
    return list(
        {layer["digest"]: {"digest": layer["digest"], "size": layer["size"]} for layer in layers}.values()
    )


def read_model(root: str | Path, tag: str) -> Fields:
    """What the folder says of one model; ``present`` is whether there is a manifest."""
    path = manifest_file(root, tag)
    empty = {
        "tag": tag,
        "present": False,
        "digest": "",
        "manifest": "",
        "blobs": [],
        "missing": [],
        "damaged": [],
    }
    if not path.is_file():
        return empty
    data = path.read_bytes()
    try:
        blobs = blobs_of(json.loads(data))
        missing = [blob for blob in blobs if not blob_file(root, blob["digest"]).exists()]
    except (ValueError, KeyError, TypeError, AttributeError, FolderError):
        return empty | {"unreadable": str(path)}
    return empty | {
        "present": True,
        "digest": hashlib.sha256(data).hexdigest(),
        "manifest": base64.b64encode(data).decode(),
        "blobs": blobs,
        "missing": missing,
    }


class Ledger:
    """Which blobs were found whole, by size, time and inode, so that only what changed is read again."""

    def __init__(self, root: str | Path) -> None:
        self.path = Path(root, OWN_FOLDER, "audited.json")
        try:
            self.known = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.known = {}

    def knows(self, path: Path) -> bool:
        """Whether this file is as it was when it was last found whole."""
        return bool(self.known.get(path.name) == _state(path))

    def note(self, path: Path) -> None:
        """Remember this file as whole."""
        self.known[path.name] = _state(path)

    def write(self) -> None:
        """Keep what is known of the files that are still there."""
        blobs = self.path.parent.parent / "blobs"
        self.known = {name: state for name, state in self.known.items() if (blobs / name).exists()}
        if self.path.parent.parent.is_dir():
            make_own_folder(self.path.parent.parent)
            replace_file(self.path, json.dumps(self.known, sort_keys=True).encode())


def damaged_blobs(root: str | Path, blobs: list[Fields], audit: str, ledger: Ledger) -> list[Fields]:
    """The blobs that are there and are not what their names say; ``audit``: always, changed or never."""
    return [blob for blob in blobs if _is_damaged(blob_file(root, blob["digest"]), blob, audit, ledger)]


def _is_damaged(path: Path, blob: Fields, audit: str, ledger: Ledger) -> bool:
    if not path.exists():
        return False
    if path.stat().st_size != int(blob["size"]):
        return True
    if audit == "never" or (audit == "changed" and ledger.knows(path)):
        return False
    if sha256_of(path) != blob["digest"]:
        return True
    ledger.note(path)
    return False


def drop_damaged(root: str | Path, digests: list[str]) -> None:
    """Remove those of these blobs that are still damaged: the engine takes what is there for whole."""
    for path, digest in ((blob_file(root, digest), digest) for digest in digests):
        # Whoever has it open keeps it.
        if path.exists() and sha256_of(path) != digest:
            path.unlink()


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def place(root: str | Path, manifest_data: bytes, tag: str, owner: Owner = None) -> bool:
    """Verify what came in, rename the blobs into place, write the manifest; True if anything changed."""
    blobs = blobs_of(json.loads(manifest_data))
    incoming = [incoming_file(root, blob["digest"]) for blob in blobs]
    came = [(path, blob) for path, blob in zip(incoming, blobs, strict=True) if path.exists()]
    for path, blob in came:
        verify_incoming(path, blob["digest"])
    moved = [rename_blob(root, path, blob["digest"], owner) for path, blob in came]
    for blob in blobs:
        if not blob_file(root, blob["digest"]).exists():
            raise FolderError(f"{blob['digest']} of {tag} did not come; the model is not put in place")
    return write_manifest(root, tag, manifest_data, owner) or bool(moved)


def verify_incoming(path: Path, digest: str) -> None:
    """Refuse and remove a file whose bytes do not have this digest."""
    found = sha256_of(path)
    if found != digest:
        path.unlink()
        raise FolderError(
            f"{path.name}: its bytes have the digest {found}, damaged on the way, or where it came from"
        )


def rename_blob(root: str | Path, path: Path, digest: str, owner: Owner) -> Path:
    """Move a verified file to its place; its time is now, since Ollama prunes what is old and unnamed."""
    _sync(path)
    os.utime(path)
    path.chmod(0o644)
    _own(path, owner)
    target = blob_file(root, digest)
    make_folder(target.parent, owner)
    path.replace(target)
    return target


def write_manifest(root: str | Path, tag: str, data: bytes, owner: Owner) -> bool:
    """Write the manifest at once; False if it is there already."""
    path = manifest_file(root, tag)
    if path.is_file() and path.read_bytes() == data:
        return False
    make_folder(path.parent, owner)
    make_own_folder(root)
    waiting = Path(root, OWN_FOLDER, "manifest")
    replace_file(waiting, data)
    waiting.chmod(0o644)
    _own(waiting, owner)
    waiting.replace(path)
    return True


def make_folder(path: Path, owner: Owner) -> None:
    """Make a folder and its parents, each of them the engine's."""
    if path.is_dir():
        return
    make_folder(path.parent, owner)
    path.mkdir(mode=0o755, exist_ok=True)
    _own(path, owner)


def make_own_folder(root: str | Path, owner: Owner = None) -> Path:
    """Make the folder in which the role keeps its own files; the folder around it is the engine's."""
    make_folder(Path(root), owner)
    own = Path(root, OWN_FOLDER)
    for folder in (own, own / "incoming"):
        folder.mkdir(mode=0o700, exist_ok=True)
    return own


@contextmanager
def locked(root: str | Path) -> Iterator[None]:
    """One at a time: several hosts' tasks may use the controller's folder at once."""
    with (make_own_folder(root) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def replace_file(path: Path, data: bytes) -> None:
    """Write a whole file or nothing."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _own(path: Path, owner: Owner) -> None:
    if owner and os.geteuid() == 0:
        shutil.chown(path, *owner)


def copy_range(source: str | Path, start: int, size: int, target: str | Path) -> None:
    """Write ``size`` bytes of a file, from ``start`` on, as a file of their own."""
    with Path(source).open("rb") as file, Path(target).open("wb") as piece:
        file.seek(start)
        while size and (data := file.read(min(size, _PIECE))):
            piece.write(data)
            size -= len(data)


def append(piece: str | Path, target: str | Path, start: int) -> int:
    """Put a piece behind the first ``start`` bytes of a file; what lies behind them is dropped."""
    target = Path(target)
    with Path(piece).open("rb") as source, target.open("r+b" if target.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        shutil.copyfileobj(source, file, _PIECE)
    return target.stat().st_size
