"""Asks a registry of models, over the HTTP that Ollama's speaks.

    Registry(url).manifest(...) ; .blob_size(...) ; .blob(..., start, end) -> pieces

Owns the requests and what their failures are called. Never writes a file. A
registry that asks who we are is not supported.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import EngineFailure
from ia0_daemon.embedded.names import ModelName
from ia0_daemon.embedded.store import MANIFEST_TYPE

_PIECE = 1 << 16
_MOST_REDIRECTS = 5
NOT_EXIST_TEXT = "file does not exist"


class Registry:
    """One registry, by its address."""

    def __init__(self, url: str, *, insecure: bool, stall_s: float) -> None:
        self._url = url
        self._insecure = insecure
        self.stall_s = stall_s

    def manifest(self, context: Context, name: ModelName) -> bytes:
        """The model's manifest; EngineFailure when there is none."""
        path = f"/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
        headers = {"Accept": MANIFEST_TYPE}
        try:
            return b"".join(self._pieces(context, "GET", path, headers))
        except EngineFailure as failure:
            raise EngineFailure(f"pull model manifest: {failure}") from failure
        except OSError as error:
            raise EngineFailure(f'pull model manifest: Get "{self._url}{path}": {error}') from error

    def blob_size(self, context: Context, name: ModelName, digest: str) -> int:
        """How many bytes the blob has."""
        with self._answer(context, "HEAD", _blob_path(name, digest), {}) as answer:
            return int(answer.headers.get("Content-Length") or 0)

    def blob(self, context: Context, name: ModelName, digest: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``end`` (exclusive); TimeoutError when none come for too long."""
        headers = {"Range": f"bytes={start}-{end - 1}"}
        yield from self._pieces(context, "GET", _blob_path(name, digest), headers)

    def _pieces(self, context: Context, method: str, path: str, headers: dict[str, str]) -> Iterator[bytes]:
        with self._answer(context, method, path, headers) as answer:
            while piece := answer.read1(_PIECE):
                context.check()
                yield piece
            if answer.length:
                raise ConnectionError("unexpected EOF")

    def _answer(self, context: Context, method: str, path: str, headers: dict[str, str]) -> _Answer:
        url = self._url + path
        for _ in range(_MOST_REDIRECTS):
            answer = _Answer(self._connection(url), context)
            status = answer.ask(method, url, headers)
            if status in (301, 302, 303, 307, 308):
                url = urljoin(url, answer.headers.get("Location") or "")
                answer.close()
                continue
            if status >= HTTPStatus.BAD_REQUEST:
                answer.close()
                raise EngineFailure(_refusal(status))
            return answer
        raise EngineFailure("too many redirects")

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.stall_s)
        secure = ssl.create_default_context()
        if self._insecure:  # the caller asked for it: Ollama's `insecure` skips the check as well
            secure.check_hostname = False
            secure.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=self.stall_s, context=secure
        )


def _blob_path(name: ModelName, digest: str) -> str:
    return f"/v2/{name.namespace}/{name.model}/blobs/{digest}"


def _refusal(status: int) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return NOT_EXIST_TEXT
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "pull access denied: the registry asks who we are, which the embedded engine cannot say"
    return f"{status}: the registry refuses"


class _Answer:
    """One answer; a cancelled context shuts its socket."""

    def __init__(self, connection: http.client.HTTPConnection, context: Context) -> None:
        self._connection = connection
        self._cancelling = context.on_cancel(self._shut)
        self._response: http.client.HTTPResponse | None = None

    def ask(self, method: str, url: str, headers: dict[str, str]) -> int:
        """Send the request and read the status."""
        self._cancelling.__enter__()
        parts = urlsplit(url)
        try:
            self._connection.request(
                method, parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers
            )
            self._response = self._connection.getresponse()
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(str(error) or "EOF") from error
        except OSError:
            self.close()
            raise
        return self._response.status

    @property
    def headers(self) -> http.client.HTTPMessage:
        """The answer's headers."""
        return self._read().headers

    @property
    def length(self) -> int | None:
        """How many bytes are still to come, as far as is known."""
        return self._read().length

    def read1(self, size: int) -> bytes:
        """The next bytes, as soon as there are any."""
        try:
            return self._read().read1(size)
        except http.client.HTTPException as error:
            raise ConnectionError(str(error) or "unexpected EOF") from error

    def _read(self) -> http.client.HTTPResponse:
        assert self._response is not None  # noqa: S101 - ask comes first
        return self._response

    def _shut(self) -> None:
        if self._connection.sock is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._cancelling.__exit__(None, None, None)
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
