"""The mirror of the test network: releases of "Ollama", a registry of models, an index of packages.

    /releases/download/v<version>/<file>    ROOT/releases/v<version>/<file>
    /v2/library/<model>/manifests/<tag>     ROOT/models/manifests/registry.ollama.ai/library/<model>/<tag>
    /v2/library/<model>/blobs/<digest>      ROOT/models/blobs/<digest, with - for :>
    /simple/<package>/                      a page that names its wheels in ROOT/packages
    /simple/<package>/<wheel>               ROOT/packages/<wheel>

Owns the way from a path to a file of a read-only folder, and ranges, which /api/pull asks for. Runs in a
container with nothing but Debian's python3, hence the standard library alone.
"""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 1 << 20
NAME = r"[A-Za-z0-9][\w.-]*"
PLACES = (
    (rf"/releases/download/(v{NAME})/({NAME})", "releases/{0}/{1}"),
    (rf"/v2/library/({NAME})/manifests/({NAME})", "models/manifests/registry.ollama.ai/library/{0}/{1}"),
    (rf"/v2/library/{NAME}/blobs/sha256:([0-9a-f]{{64}})", "models/blobs/sha256-{0}"),
    (rf"/simple/{NAME}/({NAME}\.whl)", "packages/{0}"),
)


def find(root: Path, path: str) -> Path | None:
    """The file behind a path; None where there is none."""
    for pattern, place in PLACES:
        if match := re.fullmatch(pattern, path):
            file = root / place.format(*match.groups())
            return file if file.is_file() else None
    return None


def index(root: Path, path: str) -> bytes:
    """The page of a package's wheels; empty where the path is none of those, or there is no wheel."""
    asked = re.fullmatch(rf"/simple/({NAME})/", path)
    wheels = sorted(file.name for file in (root / "packages").glob("*.whl"))
    mine = [name for name in wheels if asked and _package(name.partition("-")[0]) == _package(asked[1])]
    return "".join(f'<a href="{name}">{name}</a>\n' for name in mine).encode()


def _package(name: str) -> str:
    """A package's name as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def span(header: str | None, size: int) -> tuple[int, int]:
    """The first byte that is asked for, and the one behind the last."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", header or "")
    if not match:
        return 0, size
    return min(int(match[1]), size), min(int(match[2] or size - 1) + 1, size)


class Mirror(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    protocol_version = "HTTP/1.1"
    root: Path

    def do_HEAD(self) -> None:
        """The head of what GET answers."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """A file, or a part of it."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.path in ("/", "/v2/"):
            self._head(HTTPStatus.OK, 0)
            return
        if page := index(self.root, self.path):
            self._head(HTTPStatus.OK, len(page), "text/html")
            self.wfile.write(page if body else b"")
            return
        file = find(self.root, self.path)
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        size = file.stat().st_size
        start, end = span(self.headers.get("Range"), size)
        self._head(HTTPStatus.PARTIAL_CONTENT if "Range" in self.headers else HTTPStatus.OK, end - start)
        if body:
            self._write(file, start, end)

    def _head(self, status: HTTPStatus, length: int, content_type: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def _write(self, path: Path, start: int, end: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(PIECE, end - start))):
                self.wfile.write(piece)
                start += len(piece)


if __name__ == "__main__":
    Mirror.root = Path(sys.argv[1])
    ThreadingHTTPServer(("", 80), Mirror).serve_forever()
