"""Model names: ``[scheme://][host/][namespace/]model[:tag]``, as Ollama reads and shows them.

Owns the parts, their defaults and which characters they may have. Never touches the disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

# The folder name under which Ollama keeps models that are named without a host: part of its disk layout.
DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,350}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True)
class ModelName:
    """A model's name with every part filled in."""

    host: str
    namespace: str
    model: str
    tag: str
    scheme: str = ""

    def is_valid(self) -> bool:
        """Whether every part has only the characters that it may have."""
        parts = ((_HOST, self.host), (_NAMESPACE, self.namespace), (_MODEL, self.model), (_TAG, self.tag))
        return all(pattern.fullmatch(text) for pattern, text in parts)

    def full(self) -> str:
        """The name with all parts: ``host/namespace/model:tag``."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def short(self) -> str:
        """The name without the default host and namespace, always with its tag."""
        if self.host.lower() != DEFAULT_HOST:
            return self.full()
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    def path(self) -> tuple[str, str, str, str]:
        """The folders and the file of its manifest."""
        return self.host, self.namespace, self.model, self.tag

    def with_parts(self, parts: tuple[str, str, str, str]) -> ModelName:
        """The same name with these four parts."""
        host, namespace, model, tag = parts
        return replace(self, host=host, namespace=namespace, model=model, tag=tag)


def parse_name(text: str) -> ModelName:
    """Split a name and fill in the defaults; ask ``is_valid`` afterwards."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    rest = rest.partition("@")[0]
    path, tag = _split_tag(rest)
    *prefix, model = path.split("/")
    namespace = prefix.pop() if prefix else DEFAULT_NAMESPACE
    host = "/".join(prefix) if prefix else DEFAULT_HOST
    return ModelName(host, namespace, model, tag, scheme)


def _split_tag(text: str) -> tuple[str, str]:
    path, separator, tag = text.rpartition(":")
    if not separator or "/" in tag:
        return text, DEFAULT_TAG
    return path, tag
