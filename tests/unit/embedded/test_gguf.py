from pathlib import Path

import pytest

from ia0_daemon.embedded.gguf import NotGguf, human_number, read
from ia0_daemon.embedded.weights import packaged_weights


def test_the_packaged_weights_say_what_they_are() -> None:
    metadata = read(packaged_weights())
    assert (metadata.architecture, metadata.quantization) == ("llama", "Q4_1")
    assert metadata.of_architecture("context_length") == 8192
    assert human_number(metadata.parameters) == "134.52M"
    assert (metadata.adds_bos, metadata.is_embedding_model) == (False, False)


def test_long_arrays_are_read_only_when_asked_for() -> None:
    path = packaged_weights()
    assert read(path).values["tokenizer.ggml.tokens"] == []
    assert len(read(path, whole=True).values["tokenizer.ggml.tokens"]) == 49152


@pytest.mark.parametrize(
    "data", [b"", b"not a model at all, but long enough", b"GGUF\x03\0\0\0" + b"\xff" * 16]
)
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(NotGguf):
        read(path)


@pytest.mark.parametrize(
    ("number", "text"),
    [(8_000_000_000, "8B"), (7_615_616_512, "7.6B"), (134_515_008, "134.52M"), (1500, "2K"), (12, "12")],
)
def test_counts_are_written_as_ollama_writes_them(number: int, text: str) -> None:
    assert human_number(number) == text
