"""Downloads one blob, in parts, with retries, shared by all who wait for it.

    Downloads.join(...) -> Download: completed / total, done, failure; leave() by the last one cancels it

Owns Ollama's rules: 30 s without bytes is a stall and is tried again without
limit; another failure is tried six times with growing pauses; what is there
stays for the next pull. Whether the bytes fit the digest is ``pull``'s question.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import Cancelled, EngineFailure
from ia0_daemon.embedded.faults import Fault, Faults
from ia0_daemon.embedded.names import ModelName
from ia0_daemon.embedded.parts import Part, Partial
from ia0_daemon.embedded.registry import Registry

MOST_TRIES = 6
# Progress of a part is written down after so many bytes, not after each piece.
_SAVE_EVERY = 1 << 22

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where a blob comes from and how patiently it is asked for."""

    registry: Registry
    name: ModelName
    digest: str
    faults: Faults
    backoff_s: float
    streams: int


class Download:
    """One blob on its way."""

    def __init__(self, source: Source, blob: Path) -> None:
        self._source = source
        self._partial = Partial(blob)
        self._context = Context()
        self._parts: list[Part] = []
        self.waiters = 0
        self.total = 0
        self.failure: EngineFailure | None = None
        self.ended = threading.Event()

    @property
    def completed(self) -> int:
        """The bytes that are there."""
        return sum(part.completed for part in self._parts)

    def run(self) -> None:
        """Fetch every part; the failure is kept for those who wait."""
        try:
            self._fetch()
        except EngineFailure as failure:
            self.failure = failure
        except OSError as error:
            self.failure = EngineFailure(str(error))
        finally:
            self.ended.set()

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._context.cancel()

    def _fetch(self) -> None:
        source = self._source
        self.total = source.registry.blob_size(self._context, source.name, source.digest)
        self._parts = self._partial.parts(self.total)
        with ThreadPoolExecutor(max_workers=source.streams, thread_name_prefix="download") as pool:
            for result in [pool.submit(self._fetch_part, part) for part in self._parts]:
                result.result()
        self._partial.finish()

    def _fetch_part(self, part: Part) -> None:
        tries = 0
        while not part.is_done:
            try:
                self._try_part(part)
            except TimeoutError:
                _log.info("%s part %d stalled; retrying", self._source.digest[7:19], part.number)
            except (OSError, EngineFailure) as error:
                self._context.check()
                tries += 1
                if isinstance(error, Cancelled) or tries >= MOST_TRIES:
                    raise EngineFailure(f"max retries exceeded: {error}") from error
                _log.info(
                    "%s part %d attempt %d failed: %s, retrying",
                    self._source.digest[7:19],
                    part.number,
                    tries - 1,
                    error,
                )
                self._context.wait(self._source.backoff_s * 2 ** (tries - 1))
            finally:
                self._partial.save(part)

    def _try_part(self, part: Part) -> None:
        unsaved = 0
        with self._partial.path.open("r+b") as file:
            file.seek(part.start)
            for piece in self._bytes(part):
                file.write(piece)
                part.completed += len(piece)
                unsaved += len(piece)
                if unsaved >= _SAVE_EVERY:
                    file.flush()
                    self._partial.save(part)
                    unsaved = 0
        if not part.is_done:
            raise ConnectionError("unexpected EOF")

    def _bytes(self, part: Part) -> Iterator[bytes]:
        source = self._source
        pieces = source.registry.blob(self._context, source.name, source.digest, part.start, part.end)
        return with_pull_faults(pieces, source.faults, source.digest, self._stall)

    def _stall(self) -> None:
        self._context.wait(self._source.registry.stall_s)
        self._context.check()
        raise TimeoutError


def with_pull_faults(
    pieces: Iterator[bytes], faults: Faults, digest: str, stall: Callable[[], None]
) -> Iterator[bytes]:
    """The bytes as the pull's faults leave them: stalled, cut off or wrong."""
    stall_after = faults.number(Fault.PULL_STALL_AFTER_BYTES, digest)
    cut_after = faults.number(Fault.PULL_CUT_AFTER_BYTES, digest)
    is_corrupt = faults.hit(Fault.PULL_CORRUPT, digest) is not None
    sent = 0
    for piece in pieces:
        if stall_after is not None and sent >= stall_after:
            stall()
        if cut_after is not None and sent >= cut_after:
            raise ConnectionResetError("connection reset by peer")
        yield bytes([piece[0] ^ 1]) + piece[1:] if is_corrupt and sent == 0 else piece
        sent += len(piece)


class Downloads:
    """All downloads under way, by digest."""

    def __init__(self) -> None:
        self._running: dict[str, Download] = {}
        self._lock = threading.Lock()

    def join(self, source: Source, blob: Path) -> Download:
        """Wait with others for this blob; the first one starts the download."""
        with self._lock:
            download = self._running.get(source.digest)
            if download is None or download.ended.is_set():
                download = Download(source, blob)
                self._running[source.digest] = download
                threading.Thread(target=download.run, name="download", daemon=True).start()
            download.waiters += 1
            return download

    def leave(self, digest: str, download: Download) -> None:
        """Wait no more; without anybody who waits the download is cancelled."""
        with self._lock:
            download.waiters -= 1
            if download.waiters > 0:
                return
            if self._running.get(digest) is download:
                del self._running[digest]
        download.cancel()
        download.ended.wait()
