"""What the handlers share: the settings, the disk, the scheduler and the way to an answer.

engine.model(name) -> Model
engine.runner(context, model, asked) -> a loaded runner for the time of a block
engine.answer(runner, context, request) -> pieces, with the faults that hit it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import CompletionRequest, Piece, complete
from ia0_daemon.embedded.download import Downloads
from ia0_daemon.embedded.environment import EngineSettings
from ia0_daemon.embedded.failures import MAX_QUEUE_TEXT, StatusFailure, bad_request, model_not_found
from ia0_daemon.embedded.faults import Fault
from ia0_daemon.embedded.faulty import with_faults
from ia0_daemon.embedded.launch import Launch
from ia0_daemon.embedded.llama_server import LOAD_DELAY_VARIABLE, LOAD_FAILS_VARIABLE
from ia0_daemon.embedded.loaded import Limits
from ia0_daemon.embedded.models import Model, load_model
from ia0_daemon.embedded.names import ModelName, parse_name
from ia0_daemon.embedded.options import Options, apply
from ia0_daemon.embedded.runner import Runner
from ia0_daemon.embedded.scheduler import Scheduler
from ia0_daemon.embedded.script import Script, play
from ia0_daemon.embedded.store import Store
from ia0_daemon.embedded.told import told

# Ollama never gives a model less context than this.
LEAST_CONTEXT = 4
INVALID_NAME_TEXT = "invalid model name"


@dataclass(frozen=True)
class Asked:
    """What a request asks of the runner."""

    options: Mapping[str, Any]
    keep_alive: float | None = None
    shift: bool = True
    embedding: bool = False


class Engine:
    """One running engine."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.faults = settings.faults
        self.store = Store(settings.models)
        self.downloads = Downloads()
        self.script = Script(self.faults.hit(Fault.SCRIPT) or "")
        limits = Limits(
            max_loaded=settings.max_loaded_models,
            max_queue=settings.max_queue,
            keep_alive=settings.keep_alive,
            load_timeout=settings.load_timeout,
        )
        self.scheduler: Scheduler[Runner] = Scheduler(limits, self._start, self._before_load)

    def name(self, text: str) -> ModelName:
        """The name in the disk's spelling; 400 when it cannot be one."""
        name = parse_name(text)
        if not name.is_valid():
            raise bad_request(INVALID_NAME_TEXT)
        return self.store.existing_name(name)

    def model(self, text: str, absent: Callable[[str], StatusFailure] = model_not_found) -> Model:
        """The model of this name, or the 404 of the route."""
        if _is_cloud(text):
            raise StatusFailure(HTTPStatus.FORBIDDEN, "ollama cloud is disabled: remote model is unavailable")
        model = load_model(self.store, self.name(text))
        if model is None:
            raise absent(text)
        return model

    def capabilities(self, model: Model) -> list[str]:
        """What the model can do; a script also plays tools and thinking."""
        found = model.capabilities()
        scripted = ("tools", "thinking") if self.script else ()
        return found + [item for item in scripted if item not in found]

    def options(self, model: Model, given: Mapping[str, Any]) -> Options:
        """Defaults, then the model's own parameters, then the request's."""
        defaults = Options(num_ctx=self.settings.context_length)
        options = apply(apply(defaults, model.options), given)
        return replace(options, num_ctx=max(options.num_ctx, LEAST_CONTEXT))

    @contextmanager
    def runner(self, context: Context, model: Model, asked: Asked) -> Iterator[tuple[Runner, Options]]:
        """A loaded runner and the options that hold, for the time of the block."""
        options = self.options(model, asked.options)
        if self.faults.hit(Fault.QUEUE_FULL):
            raise StatusFailure(HTTPStatus.SERVICE_UNAVAILABLE, MAX_QUEUE_TEXT)
        launch = Launch(
            model=model,
            options=options,
            parallel=self.settings.num_parallel,
            shift=asked.shift,
            embedding=asked.embedding or model.metadata.is_embedding_model,
            cpu_only=self.faults.hit(Fault.CPU_ONLY) is not None,
        )
        with self.scheduler.acquire(context, launch, asked.keep_alive) as runner:
            yield runner, options

    def answer(self, runner: Runner, context: Context, request: CompletionRequest) -> Iterator[Piece]:
        """The answer in pieces, once a slot is free."""
        with runner.slot(context):
            scripted = self.script.find(request.prompt)
            if scripted is None:
                pieces = complete(runner, context, request)
            else:
                pieces = play(scripted, runner, context, request.prompt)
            yield from told(with_faults(pieces, self.faults, request.prompt, runner, context), context)

    def _before_load(self) -> None:
        if self.faults.hit(Fault.WEDGE_SCHEDULER):
            Context().wait()

    def _start(self, launch: Launch) -> Runner:
        environment = {
            LOAD_DELAY_VARIABLE: self.faults.hit(Fault.SLOW_LOAD_S),
            LOAD_FAILS_VARIABLE: self.faults.hit(Fault.LOAD_FAILS),
        }
        return Runner(launch, {key: value for key, value in environment.items() if value})


def _is_cloud(text: str) -> bool:
    tag = parse_name(text).tag
    return tag == "cloud" or tag.endswith("-cloud")
