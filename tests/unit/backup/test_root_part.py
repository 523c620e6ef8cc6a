"""What root collects for the daemon, and that a request of the daemon's user is no way to root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.backup import requested, root_part
from ia0_daemon.backup.collect import Collection
from ia0_daemon.backup.errors import BackupError, RestoreRefused
from ia0_daemon.backup.manifest import Entry, Kind
from ia0_daemon.backup.places import Place
from ia0_daemon.backup.root_part import RootPart, Seen
from ia0_daemon.backup.trusted_file import open_of_engine, open_of_root
from tests.unit.backup.conftest import Host

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of other users are made by root alone")
NOBODY = 65534


@pytest.fixture
def area() -> Iterator[Path]:
    """A folder that nobody but its owner may write, all the way up."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        yield Path(name).resolve()


@pytest.fixture
def part(area: Path) -> RootPart:
    (area / "run").mkdir()
    (area / "state").mkdir()
    return RootPart(area / "run")


def key(area: Path, text: str = "secret") -> Path:
    path = area / "ollama" / "id_ed25519"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def filled(part: RootPart, area: Path, *places: Place) -> root_part.Index:
    return part.fill(places, 2**20, area / "state")


def test_the_daemon_takes_what_root_has_collected_with_owner_and_mode(
    area: Path, part: RootPart, tmp_path: Path
) -> None:
    path = key(area)
    filled(part, area, Place(Kind.ENGINE_KEY, path))
    collection = Collection(tmp_path, 2**20)
    assert part.take(collection) == {str(path)}
    entry = collection.staged[0].entry
    assert (entry.origin, entry.mode, entry.kind) == (str(path), 0o600, Kind.ENGINE_KEY)
    assert collection.staged[0].content.read_text() == "secret"


def test_a_new_part_takes_the_old_ones_place(area: Path, part: RootPart, tmp_path: Path) -> None:
    filled(part, area, Place(Kind.ENGINE_KEY, key(area)))
    filled(part, area)
    assert part.take(Collection(tmp_path, 2**20)) == set()
    assert sorted(each.name for each in (area / "run").iterdir()) == ["part"]


def test_a_part_that_was_altered_is_refused(area: Path, part: RootPart, tmp_path: Path) -> None:
    filled(part, area, Place(Kind.ENGINE_KEY, key(area)))
    (area / "run/part/0.copy").write_text("another")
    with pytest.raises(BackupError, match="is damaged"):
        part.take(Collection(tmp_path, 2**20))


def test_a_part_that_is_not_there_is_told(part: RootPart, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="what root has collected cannot be read"):
        part.take(Collection(tmp_path, 2**20))


def test_the_daemons_own_files_are_left_to_the_daemon(area: Path, part: RootPart) -> None:
    index = filled(part, area, Place(Kind.KEYS, key(area), daemons_own=True))
    assert (index.entries, index.notes) == ((), ())


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_of_the_engines_user_leads_root_nowhere(area: Path, part: RootPart, link: str) -> None:
    (area / "root").mkdir()
    (area / "root/id_ed25519").write_text("root's own")
    if link == "folder":
        (area / "ollama").symlink_to(area / "root")
    else:
        (area / "ollama").mkdir()
        (area / "ollama/id_ed25519").symlink_to(area / "root/id_ed25519")
    index = filled(part, area, Place(Kind.ENGINE_KEY, area / "ollama/id_ed25519"))
    assert index.entries == ()
    assert len(index.notes) == 1


@as_root
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_where_others_may_write_root_does_not_read_for_them(area: Path, part: RootPart, how: str) -> None:
    folder = area / "theirs"
    folder.mkdir()
    (folder / "file").write_text("x")
    if how == "owner":
        os.chown(folder, NOBODY, NOBODY)
    else:
        folder.chmod(0o777)
    index = filled(part, area, Place(Kind.EXTRA, folder / "file"))
    assert index.entries == ()
    assert "others than root may write" in index.notes[0]


@as_root
def test_the_engines_own_folders_may_be_the_engines(area: Path, part: RootPart) -> None:
    path = key(area)
    os.chown(path.parent, NOBODY, NOBODY)
    assert len(filled(part, area, Place(Kind.ENGINE_KEY, path)).entries) == 1


@pytest.mark.parametrize("opens", [open_of_root, open_of_engine])
def test_a_pipe_is_no_file(area: Path, opens: object) -> None:
    os.mkfifo(area / "pipe")
    with pytest.raises(OSError, match="no plain file"):
        opens(area / "pipe")  # type: ignore[operator]


def test_root_remembers_what_it_has_seen_and_forgets_the_oldest(
    area: Path, part: RootPart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root_part, "_MOST_SEEN", 2)
    for text in ("one", "two", "three", "two"):
        filled(part, area, Place(Kind.ENGINE_KEY, key(area, text)))
    assert len(root_part.seen(area / "state")) == 2
    assert (area / "state/seen.json").stat().st_mode & 0o777 == 0o600


def test_only_what_root_has_seen_at_that_place_with_that_mode_may_come_back() -> None:
    entry = Entry(
        member="files/etc/x", kind=Kind.UNIT, origin="/etc/x", size=1, sha256="a" * 64, mode=0o644,
        uid=0, gid=0, owner="root", group="root",
    )  # fmt: skip
    known = [Seen.of(entry)]
    assert root_part.restorable([entry], known) == [entry]
    for change in (
        {"origin": "/etc/y"},
        {"sha256": "b" * 64},
        {"mode": 0o777},
        {"uid": 1},
        {"kind": Kind.HISTORY},
    ):
        assert root_part.restorable([msgspec.structs.replace(entry, **change)], known) == []


@pytest.fixture
def home(area: Path) -> Host:
    """A host whose archive holds what root has seen."""
    made = Host(area)
    for folder in ("etc", "ollama", "systemd", "state"):
        (area / folder).mkdir()
    made.configure()
    (made.ollama / "id_ed25519").write_text("secret")
    (made.units / "ollama.service").write_text("[Service]\n")
    return made


def asked_for(host: Host, name: str) -> Path:
    """Ask for an archive, and give root's folder."""
    requested.write(host.service().settings, name)
    return host.root / "state"


def test_a_request_brings_back_what_root_has_seen(home: Host) -> None:
    service = home.service()
    made = service.create()
    root_part.remember(home.root / "state", made.manifest.files)
    with requested.chosen(service.settings, asked_for(home, made.path.name)) as chosen:
        assert {Path(entry.origin).name for entry in chosen.files} >= {
            "ia0.toml",
            "id_ed25519",
            "ollama.service",
        }
        assert chosen.left == ()


def test_a_crafted_archive_brings_nothing_of_its_own(home: Host) -> None:
    service = home.service()
    root_part.remember(home.root / "state", service.create().manifest.files)
    (home.units / "ollama.service").write_text("[Service]\nExecStart=/tmp/evil\nUser=root\n")
    made = service.create()
    with requested.chosen(service.settings, asked_for(home, made.path.name)) as chosen:
        assert str(home.units / "ollama.service") not in {entry.origin for entry in chosen.files}
        assert chosen.left == (str(home.units / "ollama.service"),)


def test_on_a_host_where_root_has_seen_nothing_a_request_is_refused(home: Host) -> None:
    made = home.service().create()
    state = asked_for(home, made.path.name)
    with (
        pytest.raises(RestoreRefused, match="an operator restores it as root"),
        requested.chosen(home.service().settings, state),
    ):
        pass


@pytest.mark.parametrize("name", ["../x", "/etc/shadow", "", ".."])
def test_a_request_names_an_archive_of_the_folder_and_nothing_else(home: Host, name: str) -> None:
    state = asked_for(home, name)
    with pytest.raises(RestoreRefused, match="is no name"), requested.chosen(home.service().settings, state):
        pass


def test_a_link_in_the_archives_place_is_not_followed(home: Host) -> None:
    service = home.service()
    made = service.create()
    shutil.move(made.path, home.root / "elsewhere")
    made.path.symlink_to(home.root / "elsewhere")
    state = asked_for(home, made.path.name)
    with pytest.raises(RestoreRefused, match="cannot be read"), requested.chosen(service.settings, state):
        pass


def test_what_is_no_request_is_refused(home: Host) -> None:
    requested.request_path(home.service().settings).write_text("{")
    with pytest.raises(RestoreRefused, match="is no request"):
        requested.read(home.service().settings)


def test_the_unit_is_started_before_collecting_and_its_failure_is_the_backups(
    home: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BackupError, match=r"backup\.root_unit: .*; no archive was written"):
        home.service(root_unit="ia0-no-such-unit.service").create()
