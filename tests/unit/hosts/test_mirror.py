"""The mirror of the test hosts: which file answers which path, and which bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.mirror import find, span

DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/releases/download/v1.2.3/sha256sum.txt", "releases/v1.2.3/sha256sum.txt"),
        ("/v2/library/qwen2/manifests/7b", "models/manifests/registry.ollama.ai/library/qwen2/7b"),
        (f"/v2/library/qwen2/blobs/sha256:{DIGEST}", f"models/blobs/sha256-{DIGEST}"),
    ],
)
def test_a_path_leads_to_its_file(tmp_path: Path, path: str, file: str) -> None:
    assert find(tmp_path, path) is None
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    assert find(tmp_path, path) == tmp_path / file


@pytest.mark.parametrize("path", ["/releases/download/../x", "/v2/library/../manifests/x", "/etc/passwd"])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "x").touch()
    assert find(tmp_path, path) is None


@pytest.mark.parametrize(
    ("header", "wanted"),
    [(None, (0, 10)), ("bytes=0-3", (0, 4)), ("bytes=4-", (4, 10)), ("bytes=8-99", (8, 10))],
)
def test_a_range_is_cut_to_what_there_is(header: str | None, wanted: tuple[int, int]) -> None:
    assert span(header, 10) == wanted
