"""Which models are loaded, who waits for one, and when each is unloaded.

    acquire(request) -> a loaded model that fits, or the queue -> load -> use -> release -> keep-alive

Owns Ollama's rules: a request for a model that is loaded with equal options passes
the queue by; the queue has OLLAMA_MAX_QUEUE places; one load at a time, which all
other unloaded models wait for; a changed option or a child that does not answer
loads again; the idle model with the shortest keep-alive makes room.
One rule is not Ollama's. There a model that has to go is kept by whoever asks for
it meanwhile, with a new keep-alive, and the load that waits for its place waits
for good (ollama/ollama#17408). Here it takes nobody any more: who asks for it
stands in the queue, so everybody has a turn. Nor does a load wait on whose caller
has left. Never talks to a child except through ``LoadedRunner``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Generic

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.durations import FOREVER
from ia0_daemon.embedded.failures import MAX_QUEUE_TEXT, Cancelled, EngineFailure, StatusFailure
from ia0_daemon.embedded.launch import Launch
from ia0_daemon.embedded.loaded import Limits, Loaded, R, Waiting

_log = logging.getLogger(__name__)


class Scheduler(Generic[R]):
    """Hands out loaded models."""

    def __init__(
        self, limits: Limits, start: Callable[[Launch], R], before_load: Callable[[], object] = lambda: None
    ) -> None:
        self._limits = limits
        self._start = start
        self._before_load = before_load  # where a fault can hold up every load
        self._is_closed = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queue: deque[Waiting[R]] = deque()
        self._loaded: dict[Path, Loaded[R]] = {}
        self._loading: R | None = None
        threading.Thread(target=self._load_loop, name="scheduler-load", daemon=True).start()
        threading.Thread(target=self._expire_loop, name="scheduler-expire", daemon=True).start()

    def loaded(self) -> list[Loaded[R]]:
        """The loaded models, the one that stays longest first."""
        now = time.time()
        with self._lock:
            return sorted(self._loaded.values(), key=lambda item: -item.expires(now))

    @contextmanager
    def acquire(self, context: Context, launch: Launch, keep_alive: float | None) -> Iterator[R]:
        """A loaded model for the time of the block."""
        loaded = self._use_loaded(launch, keep_alive) or self._enqueue(context, launch, keep_alive)
        try:
            yield loaded.runner
        finally:
            self._release(loaded)

    def expire(self, path: Path) -> None:
        """Unload this model as soon as nobody uses it."""
        with self._changed:
            loaded = self._loaded.get(path)
            if loaded is not None:
                self._expire_now(loaded)

    def close(self) -> None:
        """End every child; nothing is waited for before."""
        with self._lock:
            self._is_closed = True
            runners = [item.runner for item in self._loaded.values()]
            runners += [self._loading] if self._loading else []
        for runner in runners:
            runner.close()

    # --- a request's own thread

    def _use_loaded(self, launch: Launch, keep_alive: float | None) -> Loaded[R] | None:
        with self._lock:
            loaded = self._loaded.get(launch.model.path)
        if loaded is None or not loaded.takes_more or self._needs_reload(loaded, launch):
            return None
        with self._lock:
            if self._loaded.get(launch.model.path) is not loaded or not loaded.takes_more:
                return None
            return loaded.used(keep_alive)

    def _enqueue(self, context: Context, launch: Launch, keep_alive: float | None) -> Loaded[R]:
        waiting: Waiting[R] = Waiting(context, launch, keep_alive)
        with self._changed:
            if len(self._queue) >= self._limits.max_queue:
                raise StatusFailure(HTTPStatus.SERVICE_UNAVAILABLE, MAX_QUEUE_TEXT)
            self._queue.append(waiting)
            self._changed.notify_all()
        with context.on_cancel(waiting.done.set):
            waiting.done.wait()
        return self._taken(waiting)

    def _taken(self, waiting: Waiting[R]) -> Loaded[R]:
        with self._lock:
            waiting.is_abandoned = waiting.context.cancelled
            loaded = waiting.loaded
        if waiting.failure is not None:
            raise waiting.failure
        if loaded is not None and not waiting.is_abandoned:
            return loaded
        if loaded is not None:
            self._release(loaded)
        raise Cancelled

    def _release(self, loaded: Loaded[R]) -> None:
        with self._changed:
            loaded.users -= 1
            if loaded.users == 0:
                loaded.expires_at = time.time() + loaded.keep_alive
            self._changed.notify_all()

    def _needs_reload(self, loaded: Loaded[R], launch: Launch) -> bool:
        same = (
            loaded.launch.options.runner_key() == launch.options.runner_key()
            and loaded.launch.shift == launch.shift
            and loaded.launch.embedding == launch.embedding
        )
        return not same or not loaded.runner.answers()

    # --- the loading thread

    def _load_loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                waiting = self._queue.popleft()
            if not waiting.context.cancelled:
                self._serve(waiting)

    def _serve(self, waiting: Waiting[R]) -> None:
        try:
            with waiting.context.on_cancel(self._wake):
                loaded = self._provide(waiting)
        except EngineFailure as failure:
            waiting.failure = failure
        except OSError as error:
            waiting.failure = EngineFailure(f"error starting llama-server: {error}")
        else:
            with self._lock:
                is_abandoned = waiting.is_abandoned
                waiting.loaded = None if is_abandoned else loaded
            if is_abandoned:
                self._release(loaded)
        waiting.done.set()

    def _provide(self, waiting: Waiting[R]) -> Loaded[R]:
        while True:
            loaded = self._use_loaded(waiting.launch, waiting.keep_alive)
            if loaded is not None:
                return loaded
            with self._changed:
                in_the_way = self._in_the_way(waiting.launch)
                if in_the_way is not None:
                    self._see_off(in_the_way, waiting.context)
                    continue
            return self._load(waiting)

    def _see_off(self, loaded: Loaded[R], context: Context) -> None:
        """Let nobody take it any more until it is gone, or until nobody waits for its place."""
        loaded.has_to_go = True
        self._expire_now(loaded)
        self._changed.wait_for(lambda: context.cancelled or loaded not in self._loaded.values())
        loaded.has_to_go = False
        context.check()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _in_the_way(self, launch: Launch) -> Loaded[R] | None:
        same = self._loaded.get(launch.model.path)
        if same is not None or len(self._loaded) < self._limits.max_loaded:
            return same
        by_keep_alive = sorted(self._loaded.values(), key=lambda item: item.keep_alive)
        return next((item for item in by_keep_alive if item.users == 0), by_keep_alive[0])

    def _load(self, waiting: Waiting[R]) -> Loaded[R]:
        self._before_load()
        with self._lock:  # so that `close` sees every child, also one that is just being started
            if self._is_closed:
                raise Cancelled
            runner = self._loading = self._start(waiting.launch)
        try:
            runner.wait_until_running(waiting.context, self._limits.load_timeout)
        finally:
            with self._lock:
                self._loading = None
        loaded = Loaded(runner, waiting.launch, self._limits.keep_alive)
        with self._lock:
            self._loaded[waiting.launch.model.path] = loaded
            return loaded.used(waiting.keep_alive)

    # --- the expiring thread

    def _expire_now(self, loaded: Loaded[R]) -> None:
        loaded.keep_alive = 0.0
        loaded.expires_at = time.time()
        self._changed.notify_all()

    def _expire_loop(self) -> None:
        while True:
            with self._changed:
                expired = self._next_expired()
            _log.info("unloading model %s", expired.launch.model.short_name)
            expired.runner.close()
            with self._changed:
                self._loaded.pop(expired.launch.model.path, None)
                self._changed.notify_all()

    def _next_expired(self) -> Loaded[R]:
        while True:
            now = time.time()
            idle = [item for item in self._loaded.values() if item.users == 0]
            expired = next((item for item in idle if item.expires_at <= now), None)
            if expired is not None:
                expired.is_closing = True
                return expired
            nearest = min((item.expires_at for item in idle), default=FOREVER)
            self._changed.wait(None if nearest == FOREVER else max(nearest - now, 0.0))
