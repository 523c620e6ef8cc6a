"""Backup, damage, restore and undo with a real daemon that goes on answering, through the real command."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.scripted_engine import ScriptedEngine


@dataclass
class Site:
    """A daemon before a scripted engine, and the command beside it."""

    daemon: DaemonProcess
    folder: Path

    def ia0(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `ia0 backup ...`."""
        command = [
            sys.executable,
            "-m",
            "ia0_daemon",
            "backup",
            *args,
            "--config",
            str(self.daemon.config_path),
        ]
        environment = {**self.daemon._environment(), "HOME": str(self.folder)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def done(self, *args: str) -> str:
        result = self.ia0(*args)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def newest(self) -> Path:
        return sorted((self.folder / "backups").glob("ia0-backup-*"))[-1]

    def ask(self) -> str:
        body = json.dumps({"prompt": "Hi", "params": {"max_tokens": 5}}).encode()
        request = urllib.request.Request(
            self.daemon.url + "/llm/generate", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = json.load(answer)["text"]
            return text


@dataclass
class Traffic:
    """Requests without a pause; what did not answer as it should is kept."""

    site: Site
    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                text = self.site.ask()
            except OSError as error:
                self.wrong.append(repr(error))
                return
            self.answers += 1
            if text != "Hello world":
                self.wrong.append(text)


@contextmanager
def traffic(site: Site) -> Iterator[Traffic]:
    """Callers during a block: none of them may notice."""
    found = Traffic(site)
    thread = threading.Thread(target=found.run)
    thread.start()
    try:
        yield found
    finally:
        found.stop.set()
        thread.join()
    assert found.wrong == []
    assert found.answers > 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    sections: dict[str, dict[str, object]] = {
        "backup": {"path": str(tmp_path / "backups"), "engine_path": str(tmp_path / "ollama")},
        "events": {"path": str(tmp_path / "events.db")},
        "limits": {"max_tokens": 100},
    }
    (tmp_path / "ollama").mkdir()
    (tmp_path / "ollama/id_ed25519").write_text("private")
    with ScriptedEngine() as engine, DaemonProcess(tmp_path, engine.url, sections) as daemon:
        yield Site(daemon, tmp_path)


def takes(site: Site, tokens: int) -> bool:
    body = json.dumps({"prompt": "Hi", "params": {"max_tokens": tokens}}).encode()
    request = urllib.request.Request(
        site.daemon.url + "/llm/generate", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 400:
            raise
        return False


def test_backup_damage_restore_and_undo_while_it_answers(site: Site) -> None:
    with traffic(site):
        made = site.done("create")
        assert "not saved" not in made
        assert (
            "FROM smollm2:135m"
            in subprocess.run(
                ["tar", "-xzOf", site.newest(), "modelfiles/smollm2%3A135m"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )

        site.daemon.configure({"limits": {"max_tokens": 300}})
        (site.folder / "ollama/id_ed25519").unlink()
        changed = site.daemon.config_path.read_text()
        shown = site.done("diff")
        assert "-max_tokens = 300" in shown
        assert "+max_tokens = 100" in shown
        assert "private" not in shown

        restored = site.done("restore", "--yes")
        assert "the running daemon has read its configuration again" in restored
        assert (site.folder / "ollama/id_ed25519").read_text() == "private"
        assert takes(site, 100)
        assert not takes(site, 200)

        undone = site.done("undo", "--yes")
        assert "the running daemon has read its configuration again" in undone
        assert site.daemon.config_path.read_text() == changed
        assert not (site.folder / "ollama/id_ed25519").exists()
        assert takes(site, 200)


def test_one_file_is_restored_and_the_daemon_does_not_notice(site: Site) -> None:
    site.done("create")
    site.daemon.configure({"limits": {"max_tokens": 300}})
    (site.folder / "ollama/id_ed25519").write_text("another")
    with traffic(site):
        output = site.done("restore", "--yes", "--file", "id_ed25519")
    assert "the running daemon" not in output
    assert (site.folder / "ollama/id_ed25519").read_text() == "private"
    assert "max_tokens = 300" in site.daemon.config_path.read_text()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-20], "is cut off"),
        (
            lambda content: content[:400] + bytes([content[400] ^ 4]) + content[401:],
            ": is damaged|none of|is wrong",
        ),
        (lambda content: content + b"more", "bytes behind its end"),
        (lambda content: b"something else", "no gzip file"),
    ],
)
def test_a_damaged_archive_changes_nothing(site: Site, damage: object, words: str) -> None:
    site.done("create")
    path = site.newest()
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    site.daemon.configure({"limits": {"max_tokens": 300}})
    before = site.daemon.config_path.read_bytes()
    with traffic(site):
        result = site.ia0("restore", "--yes")
        assert site.ia0("verify").returncode == 1
    assert result.returncode == 1
    assert any(each in result.stderr for each in words.split("|")), result.stderr
    assert site.daemon.config_path.read_bytes() == before
    assert "NOT GOOD" in site.done("list")


def test_a_reload_that_is_refused_is_said_and_undo_is_offered(site: Site) -> None:
    site.done("create")
    site.daemon.configure({"server": {"threads": 200}})
    changed = site.daemon.config_path.read_text()
    site.daemon.stop()
    site.daemon.start()  # with 200 threads, which a reload cannot take back
    with traffic(site):
        result = site.ia0("restore", "--yes")
    assert result.returncode == 1
    assert "did not take the configuration" in result.stderr
    assert "server.threads" in result.stderr
    assert "ia0 backup undo" in result.stderr
    site.done("undo", "--yes")
    assert site.daemon.config_path.read_text() == changed


def test_a_destroyed_configuration_comes_back_and_the_daemon_takes_it(site: Site) -> None:
    site.done("create")
    good = site.daemon.config_path.read_text()
    site.daemon.config_path.write_text("this is [no TOML")
    assert "--folder names another" in site.ia0("list").stderr
    with traffic(site):
        output = site.done("restore", "--yes", "--folder", str(site.folder / "backups"))
    assert site.daemon.config_path.read_text() == good
    assert "the running daemon has read its configuration again" in output


def test_without_yes_and_without_a_terminal_nothing_is_done(site: Site) -> None:
    site.done("create")
    site.daemon.configure({"limits": {"max_tokens": 300}})
    before = site.daemon.config_path.read_bytes()
    assert site.ia0("restore").returncode == 1
    assert site.daemon.config_path.read_bytes() == before


def test_without_a_daemon_it_says_that_none_runs(site: Site) -> None:
    site.done("create")
    site.daemon.configure({"limits": {"max_tokens": 300}})
    site.daemon.stop()
    try:
        assert "no daemon answers" in site.done("restore", "--yes")
    finally:
        site.daemon.start()


def test_the_other_commands_work(site: Site) -> None:
    assert "there are no archives" in site.done("list")
    site.done("create")
    assert json.loads(site.done("list", "--json"))[0]["good"]
    assert ": good, " in site.done("verify")
    assert "pass their checks" in site.done("test")
    assert "nothing to delete" in site.done("prune")
