"""Every call that docs/api.md shows, run as a reader would, but for the address."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ia0_daemon.gateway.error_shapes import openai_code
from ia0_daemon.gateway.openapi_answers import sent_errors
from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.integration.api_docs.examples import Example, examples

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
EXAMPLES = examples(PAGE)
STATUS = {spelt: kind.status for code, kind in sent_errors().items() for spelt in (code, openai_code(code))}
LIMIT_S = 120
# The page's answers are of hosts with these models; the small one goes by all their names.
SECTIONS = {"models.small": {"aliases": ["qwen2-7b", "llama3.1-8b"]}, "engine": {"poll_interval_s": 0.5}}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with (
        EngineProcess(tmp_path_factory.mktemp("engine")) as engine,
        DaemonProcess(tmp_path_factory.mktemp("daemon"), engine.url, SECTIONS) as running,
    ):
        # The page shows models as they are when they are in use.
        ask = {"prompt": "Hi", "params": {"max_tokens": 1}}
        assert requests.post(f"{running.url}/llm/generate", json=ask, timeout=LIMIT_S).status_code == 200
        running.wait_for(lambda: "size_bytes" in requests.get(f"{running.url}/models", timeout=LIMIT_S).text)
        yield running


@pytest.fixture
def curl_home(tmp_path: Path) -> Path:
    """A folder from which curl takes that it is to say the status, too; the page's words stay as they are."""
    (tmp_path / ".curlrc").write_text('write-out = "\\n%{http_code}"\n')
    return tmp_path


def run(example: Example, daemon: DaemonProcess, home: Path) -> tuple[int, str]:
    """Run it in a shell: status and output."""
    command = example.command.replace("http://127.0.0.1:8080", daemon.url)
    command = command.replace("http://127.0.0.1:8081", daemon.health_url)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "CURL_HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", command],
        env=environ,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    output, _, status = done.stdout.rpartition("\n")
    return int(status), output


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line-{example.line}")
def test_an_example_answers_as_the_page_shows(
    example: Example, daemon: DaemonProcess, curl_home: Path
) -> None:
    status, output = run(example, daemon, curl_home)
    assert status == STATUS.get(example.code, 200), output
    said = set(re.findall(r'"(\w+)"\s*:', output))
    assert example.fields - said == set(), output
    assert example.headers - {name.lower() for name in re.findall(r"^([\w-]+): ", output, re.M)} == set()
    assert not example.is_stream or output.count("\n") > 1


def test_no_example_names_another_address() -> None:
    addresses = {match for example in EXAMPLES for match in re.findall(r"http://[^/\s]+", example.command)}
    assert addresses <= {"http://127.0.0.1:8080", "http://127.0.0.1:8081"}
