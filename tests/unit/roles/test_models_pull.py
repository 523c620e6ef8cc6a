"""A pull, watched: what is progress, what is a stall, which errors are tried again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.models_modules import Line, engine, load, pulls

pull = load("library/models_pull.py")

DIGEST = "sha256:" + "a" * 64
SUCCESS: list[Line] = [{"status": "pulling manifest"}, {"status": "success"}]


def part(completed: int, total: int = 100) -> Line:
    return {"status": "pulling aaaaaaaaaaaa", "digest": DIGEST, "completed": completed, "total": total}


def params(url: str, folder: Path, **other: Any) -> dict[str, Any]:
    given = {name: option.get("default") for name, option in pull.OPTIONS.items()}
    return (
        given | {"engine_url": url, "path": str(folder), "tag": "tiny:1", "pause_s": 0, "stall_s": 1} | other
    )


def run(folder: Path, *scripts: list[Line], **other: Any) -> int:
    with pulls(*scripts) as server:
        tries: int = pull.Pull(params(server.url, folder, **other)).run()
        return tries


def test_a_pull_that_succeeds_takes_one_try(tmp_path: Path) -> None:
    assert run(tmp_path, SUCCESS) == 1


def test_lines_without_a_new_byte_are_a_stall_and_the_pull_is_begun_again(tmp_path: Path) -> None:
    stalling: list[Line] = [part(10), *[0.1, part(10)] * 30]
    assert run(tmp_path, stalling, SUCCESS) == 2


def test_bytes_that_come_slowly_are_no_stall(tmp_path: Path) -> None:
    slow: list[Line] = []
    for completed in (10, 20, 30, 40):
        slow += [1.2, part(completed)]
    assert run(tmp_path, [*slow, {"status": "success"}], stall_s=4) == 1


def test_verifying_may_be_silent_for_longer_than_a_stall(tmp_path: Path) -> None:
    assert run(tmp_path, [{"status": "verifying sha256 digest"}, 1.5, {"status": "success"}]) == 1


def test_an_error_in_the_last_line_of_a_stream_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(engine.EngineError, match="does not know this model; correct models_wanted"):
        run(tmp_path, [{"error": "pull model manifest: file does not exist"}])


def test_an_end_without_success_is_tried_again(tmp_path: Path) -> None:
    assert run(tmp_path, [part(10)], SUCCESS) == 2


def test_a_passing_error_is_tried_so_often_and_then_told(tmp_path: Path) -> None:
    refused: list[Line] = [{"error": "dial tcp: connection refused"}]
    with pytest.raises(engine.EngineError, match=r"cannot be reached.*connection refused"):
        run(tmp_path, refused, refused, tries=2)


def test_tries_that_brought_bytes_do_not_count(tmp_path: Path) -> None:
    assert run(tmp_path, [part(10)], [part(20)], [part(30)], SUCCESS, tries=2) == 4


def test_a_blob_that_does_not_fit_ends_the_pull_at_its_first_line(tmp_path: Path) -> None:
    with pytest.raises(engine.EngineError, match=r"models_dir_path=.* bytes are needed, .* are free"):
        run(tmp_path, [part(0, total=1 << 60), 60.0])


def test_what_is_there_of_a_blob_does_not_count_as_needed(tmp_path: Path) -> None:
    assert run(tmp_path, [part((1 << 60) - 10, total=1 << 60), {"status": "success"}]) == 1


def test_the_time_limit_ends_it(tmp_path: Path) -> None:
    with pytest.raises(engine.EngineError, match="the time for this model is over"):
        run(tmp_path, [{"status": "verifying sha256 digest"}, 60.0], time_limit_s=1)


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(engine.EngineError, match=r"http://127\.0\.0\.1:1 does not answer"):
        pull.Pull(params("http://127.0.0.1:1", tmp_path, tries=1)).run()


def test_the_progress_file_says_how_far_it_is_and_what_went_wrong_before(tmp_path: Path) -> None:
    progress = tmp_path / "progress.json"
    run(
        tmp_path,
        [{"error": "no route to host"}],
        [part(50), {"status": "success"}],
        progress_path=str(progress),
    )
    told = json.loads(progress.read_text())
    assert (told["tries"], "no route to host" in told["trouble"]) == (1, True)


def test_pauses_grow_up_to_a_minute(tmp_path: Path) -> None:
    paused: list[float] = []
    with pulls(*[[{"error": "refused"}]] * 8) as server, pytest.raises(engine.EngineError):
        pull.Pull(params(server.url, tmp_path, tries=8, pause_s=5), paused.append).run()
    assert paused == [5, 10, 20, 40, 60, 60, 60]


def test_another_digest_than_the_wanted_one_is_told_with_both(tmp_path: Path) -> None:
    given = params("http://127.0.0.1:1", tmp_path, digest="b" * 64)
    with pytest.raises(engine.EngineError, match=f"{'c' * 64}, wanted is {'b' * 64}"):
        pull.check(given, {"present": True, "digest": "c" * 64})


def test_a_stall_is_noticed_soon_after_it_is_one(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(engine.EngineError, match="no byte came for 1 s"):
        run(tmp_path, [part(10), 60.0], tries=1)
    assert time.monotonic() - began < 30
