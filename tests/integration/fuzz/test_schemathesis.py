"""Schemathesis reads the API's own description and finds nothing in the running daemon that is not in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.daemon_process import DaemonProcess

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
LIMIT_S = 900
# A prompt may fill the context, which a busy machine reads for longer than the tool's own ten seconds.
REQUEST_LIMIT_S = 120


def test_no_server_error_and_no_answer_outside_the_schema(real_daemon: DaemonProcess, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{real_daemon.url}/openapi.json",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=40",
        "--seed=1",
        "--continue-on-failure",
        f"--request-timeout={REQUEST_LIMIT_S}",
        "--suppress-health-check=too_slow",  # how fast it makes requests says nothing about the daemon
        "--no-color",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
