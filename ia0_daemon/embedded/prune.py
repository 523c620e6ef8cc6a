"""What Ollama removes from the models folder when it starts.

    prune(store, now): unused blobs, and names that are no digest (``sha256-...-partial*``)

Owns the one rule: only what is older than an hour goes. ``OLLAMA_NOPRUNE`` keeps
everything, and so does a manifest that cannot be read, as nobody knows what it needs.
"""

from __future__ import annotations

import logging
import re

from ia0_daemon.embedded.store import Store

GRACE_S = 3600.0
"""Ollama's ``layerPruneGracePeriod``."""

_BLOB = re.compile(r"sha256-[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def prune(store: Store, now: float) -> list[str]:
    """Remove what nobody needs; returns the names of the removed files."""
    if _has_unreadable_manifest(store):
        _log.warning("corrupt manifests detected, skipping prune operation.  Re-pull or delete to clear")
        return []
    needed = {digest.replace(":", "-") for digest in store.needed_digests()}
    removed = []
    for path in sorted(store.blobs.iterdir()):
        is_old = now - path.stat().st_mtime > GRACE_S
        if is_old and (path.name not in needed or not _BLOB.fullmatch(path.name)):
            path.unlink()
            removed.append(path.name)
    _log.info("total unused blobs removed: %d", len(removed))
    return removed


def _has_unreadable_manifest(store: Store) -> bool:
    files = [path for path in store.manifests.glob("*/*/*/*") if path.is_file()]
    return len(files) != len(list(store.entries()))
