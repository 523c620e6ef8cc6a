"""The example plays of the try-out's roles, run as their READMEs have them but for folders and ports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.provisioning.site import REPOSITORY, Play, Site


def run_example(role: str, tmp_path: Path, number: int = 0, **variables: object) -> Play:
    """Run one block of the README; ``variables`` are what a test has otherwise than its reader."""
    text = (REPOSITORY / "roles" / role / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    playbook = tmp_path / f"{role}.yml"
    playbook.write_text(blocks[number], encoding="utf-8")
    edits = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    # "localhost," is an inventory of this machine alone, with the Python that runs Ansible.
    here = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *here, *edits, playbook],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Play(done.returncode, done.stdout)


def test_smoke_test_asks_a_daemon_that_runs(site: Site, tmp_path: Path) -> None:
    play = run_example(
        "smoke_test",
        tmp_path,
        smoke_test_url=f"http://127.0.0.1:{site.port}",
        smoke_test_health_url=f"http://127.0.0.1:{site.port + 1}",
    )
    assert play.code == 0, play.output
    assert "tokens_used" in play.said
    assert play.changed == 0


def test_existing_ollama_checks_an_engine_that_runs(site: Site, tmp_path: Path) -> None:
    play = run_example("existing_ollama", tmp_path, existing_ollama_host=f"127.0.0.1:{site.engine_port}")
    # The play is the README's own; that engine has only the small model, and is told so by name.
    assert play.code != 0
    assert "has not got qwen2:7b, llama3.1:8b" in play.said


def test_embedded_engine_runs_and_has_its_model(fresh_site: Site, tmp_path: Path) -> None:
    play = run_example(
        "embedded_engine",
        tmp_path,
        embedded_engine_dir_path=fresh_site.folder,
        embedded_engine_listen=f"127.0.0.1:{fresh_site.engine_port}",
    )
    assert play.code == 0, play.output
    assert fresh_site.pid("engine") is not None


def test_ia0_daemon_runs_as_a_process_of_this_user(fresh_site: Site, tmp_path: Path) -> None:
    variables = {
        "ia0_daemon_dir_path": fresh_site.folder,
        "ia0_daemon_server_socket_path": fresh_site.folder / "run/ia0.sock",
        "ia0_daemon_server_listen": f"127.0.0.1:{fresh_site.port}",
        "ia0_daemon_server_health_listen": f"127.0.0.1:{fresh_site.port + 1}",
    }
    # The README's first block is for hosts with systemd.
    first = run_example("ia0_daemon", tmp_path, 1, **variables)
    assert first.code == 0, first.output
    assert fresh_site.pid("ia0") is not None
    assert run_example("ia0_daemon", tmp_path, 1, **variables).changed == 0
