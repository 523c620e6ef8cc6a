"""Where the test hosts' things lie: what is made once for all scenarios, and what the project holds."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HERE = PROJECT / "tests/hosts"
SHARED = HERE / "shared"

# The mirror serves this folder read-only (see mirror.py).
CACHE = PROJECT / ".cache/hosts"
RELEASES = CACHE / "releases"
MODELS = CACHE / "models"
LOGS = CACHE / "log"
REPORT = PROJECT / ".cache/junit/hosts.xml"
