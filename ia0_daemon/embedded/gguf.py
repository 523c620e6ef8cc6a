"""Reads what a GGUF file says about itself: its key-value pairs and the shapes of its tensors.

    read(path) -> Metadata

Never reads the weights. Long arrays (the vocabulary) are skipped unless asked for.
Format: ggml-org/ggml ``docs/gguf.md``, versions 2 and 3.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

# Arrays longer than this read as empty, as ``/api/show`` shows them unless it is asked for all.
SHORT_ARRAY = 5

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1",
    10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M",
    16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip
_TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 30: "BF16",
}  # fmt: skip


class NotGguf(ValueError):
    """The file is not in GGUF format."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's name, kind and shape."""

    name: str
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Metadata:
    """What the file says: ``values`` by their full names."""

    values: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        """The family, such as ``llama``."""
        return str(self.values.get("general.architecture", "unknown"))

    def of_architecture(self, name: str, default: int = 0) -> int:
        """A number such as ``context_length`` that the family prefixes with its own name."""
        return int(self.values.get(f"{self.architecture}.{name}", default))

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        """The weights' format, such as ``Q4_1``."""
        return _FILE_TYPES.get(self.values.get("general.file_type", -1), "unknown")

    @property
    def adds_bos(self) -> bool:
        """Whether the tokenizer begins a text with a token of its own; it counts in the truncation."""
        return bool(self.values.get("tokenizer.ggml.add_bos_token", False))

    @property
    def is_embedding_model(self) -> bool:
        """Whether the file names a pooling type, by which Ollama knows an embedding model."""
        return f"{self.architecture}.pooling_type" in self.values


def read(path: Path, *, whole: bool = False) -> Metadata:
    """The file's metadata; NotGguf when it is something else. Read once per file and change."""
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size, whole)


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int, size: int, whole: bool) -> Metadata:
    if size < 24:
        raise NotGguf("supplied file was not in GGUF format")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise NotGguf("supplied file was not in GGUF format")
        try:
            return _Reader(data, whole).metadata()
        except struct.error as error:
            raise NotGguf("unexpected EOF") from error


class _Reader:
    """A position in the file's bytes."""

    def __init__(self, data: mmap.mmap, whole: bool) -> None:
        self._data = data
        self._at = 4
        self._limit = 2**62 if whole else SHORT_ARRAY

    def metadata(self) -> Metadata:
        self._scalar("I")  # version
        tensors, pairs = self._scalar("Q"), self._scalar("Q")
        values = {self._string(): self._value(self._scalar("I")) for _ in range(pairs)}
        return Metadata(values, tuple(self._tensor() for _ in range(tensors)))

    def _tensor(self) -> Tensor:
        name = self._string()
        shape = tuple(self._scalar("Q") for _ in range(self._scalar("I")))
        kind = self._scalar("I")
        self._scalar("Q")  # offset
        return Tensor(name, _TENSOR_TYPES.get(kind, str(kind)), shape)

    def _scalar(self, code: str) -> Any:
        layout = struct.Struct("<" + code)
        (value,) = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return value

    def _string(self) -> str:
        length = self._scalar("Q")
        self._at += length
        return self._data[self._at - length : self._at].decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise NotGguf(f"invalid type: {kind}")
        return self._scalar(_SCALARS[kind])

    def _array(self) -> list[Any]:
        kind, length = self._scalar("I"), self._scalar("Q")
        if length <= self._limit:
            return [self._value(kind) for _ in range(length)]
        self._skip(kind, length)
        return []

    def _skip(self, kind: int, length: int) -> None:
        if kind in _SCALARS:
            self._at += struct.calcsize("<" + _SCALARS[kind]) * length
            return
        unpack, at = struct.Struct("<Q").unpack_from, self._at
        for _ in range(length):
            at += 8 + unpack(self._data, at)[0]
        self._at = at


def human_number(number: int) -> str:
    """A count as Ollama writes it: 134.52M, 8.0B, 7B."""
    for size, unit, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if number >= size:
            value = number / size
            return f"{value:.{0 if value.is_integer() else digits}f}{unit}"
    return str(number)
