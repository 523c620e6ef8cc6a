from pathlib import Path

from ia0_daemon.embedded.parts import Partial


def test_a_small_blob_is_one_part_and_a_large_one_sixteen(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "sha256-x")
    assert [(part.offset, part.size) for part in partial.parts(1000)] == [(0, 1000)]
    large = Partial(tmp_path / "sha256-y").parts(3_200_000_000)
    assert len(large) == 16
    assert (large[1].offset, large[-1].end) == (200_000_000, 3_200_000_000)


def test_a_later_pull_goes_on_where_the_earlier_one_ended(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "sha256-x")
    part = partial.parts(1000)[0]
    part.completed = 400
    partial.save(part)
    again = Partial(tmp_path / "sha256-x").parts(1000)[0]
    assert (again.start, again.end, again.is_done) == (400, 1000, False)


def test_parts_of_another_size_are_begun_anew(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "sha256-x")
    part = partial.parts(1000)[0]
    part.completed = 400
    partial.save(part)
    assert Partial(tmp_path / "sha256-x").parts(2000)[0].start == 0


def test_unreadable_parts_are_begun_anew(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "sha256-x")
    partial.parts(1000)
    (tmp_path / "sha256-x-partial-0").write_bytes(b"{")
    assert Partial(tmp_path / "sha256-x").parts(1000)[0].start == 0


def test_a_finished_blob_leaves_no_parts(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "sha256-x")
    partial.parts(10)
    partial.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["sha256-x"]


def test_the_names_on_the_disk_are_ollamas(tmp_path: Path) -> None:
    Partial(tmp_path / "sha256-x").parts(10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sha256-x-partial", "sha256-x-partial-0"]
    assert (tmp_path / "sha256-x-partial-0").read_bytes() == b'{"N":0,"Offset":0,"Size":10,"Completed":0}'
