"""The mirror of the test hosts: which file answers which path, and which bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.mirror import find, index, span

DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/releases/download/v1.2.3/sha256sum.txt", "releases/v1.2.3/sha256sum.txt"),
        ("/v2/library/qwen2/manifests/7b", "models/manifests/registry.ollama.ai/library/qwen2/7b"),
        (f"/v2/library/qwen2/blobs/sha256:{DIGEST}", f"models/blobs/sha256-{DIGEST}"),
        ("/simple/flask/Flask-3.1-py3-none-any.whl", "packages/Flask-3.1-py3-none-any.whl"),
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
    ("path", "wheels"),
    [
        ("/simple/python-json-logger/", ["python_json_logger-4.2.0-py3-none-any.whl"]),
        ("/simple/python/", []),
        ("/simple/", []),
        ("/v2/", []),
    ],
)
def test_a_package_has_a_page_with_its_wheels_alone(tmp_path: Path, path: str, wheels: list[str]) -> None:
    (tmp_path / "packages").mkdir()
    for name in ("Flask-3.1-py3-none-any.whl", "python_json_logger-4.2.0-py3-none-any.whl"):
        (tmp_path / "packages" / name).touch()
    assert index(tmp_path, path).decode() == "".join(f'<a href="{name}">{name}</a>\n' for name in wheels)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [(None, (0, 10)), ("bytes=0-3", (0, 4)), ("bytes=4-", (4, 10)), ("bytes=8-99", (8, 10))],
)
def test_a_range_is_cut_to_what_there_is(header: str | None, wanted: tuple[int, int]) -> None:
    assert span(header, 10) == wanted
