from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from ia0_daemon.embedded.gguf import Metadata
from ia0_daemon.embedded.launch import Launch, launch_arguments
from ia0_daemon.embedded.memory_size import cache_size
from ia0_daemon.embedded.models import Model
from ia0_daemon.embedded.options import Options


@dataclass
class FakeModel:
    path: Path = Path("/models/blobs/sha256-0")
    values: dict[str, object] = field(default_factory=dict)

    @property
    def metadata(self) -> Metadata:
        family = {"general.architecture": "llama", "llama.context_length": 8192}
        return Metadata({**family, **self.values}, ())


def launch(options: Options = Options(), **changes: object) -> Launch:  # noqa: B008 - frozen
    model = cast(Model, FakeModel())
    return replace(Launch(model, options), **changes)  # type: ignore[arg-type]  # the test's own names


def value(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1]


def test_the_list_begins_as_ollamas() -> None:
    assert launch_arguments(launch(), 1234)[:14] == [
        "--model", "/models/blobs/sha256-0", "--port", "1234", "--host", "127.0.0.1",
        "--no-webui", "--offline",
        "-c", "4096", "-np", "1", "--log-verbosity", "4",
    ]  # fmt: skip


def test_the_context_is_multiplied_since_llama_cpp_divides_it_among_slots() -> None:
    arguments = launch_arguments(launch(parallel=3), 1)
    assert (value(arguments, "-c"), value(arguments, "-np")) == (str(3 * 4096), "3")


def test_no_more_context_than_the_model_was_trained_with() -> None:
    assert launch(Options(num_ctx=100_000)).num_ctx == 8192


def test_context_shift_is_a_flag_with_what_is_kept() -> None:
    assert value(launch_arguments(launch(), 1), "--keep") == "4"
    assert "--context-shift" not in launch_arguments(launch(shift=False), 1)


@pytest.mark.parametrize(
    ("use_mmap", "cpu_only", "maps"),
    [(None, False, True), (None, True, False), (True, True, True), (False, False, False)],
)
def test_weights_are_mapped_unless_there_is_no_gpu_or_the_request_says_so(
    use_mmap: bool | None, cpu_only: bool, maps: bool
) -> None:
    arguments = launch_arguments(launch(Options(use_mmap=use_mmap), cpu_only=cpu_only), 1)
    assert ("--load-mode" not in arguments) == maps


def test_embeddings_take_a_whole_text_at_once() -> None:
    arguments = launch_arguments(launch(embedding=True), 1)
    assert (value(arguments, "-b"), value(arguments, "--pooling")) == ("2048", "mean")
    assert "--embedding" in arguments


def test_only_what_is_asked_for_has_a_flag() -> None:
    plain = launch_arguments(launch(), 1)
    assert not {"-t", "-ngl", "--main-gpu"} & set(plain)
    asked = launch_arguments(launch(Options(num_thread=3, num_gpu=0, main_gpu=1, num_batch=64)), 1)
    assert [value(asked, flag) for flag in ("-t", "-ngl", "--main-gpu", "-b")] == ["3", "0", "1", "64"]


def test_the_cache_grows_with_context_and_slots() -> None:
    shape = {"llama.block_count": 30, "llama.embedding_length": 576, "llama.attention.head_count": 9}
    model = cast(Model, FakeModel(values={**shape, "llama.attention.head_count_kv": 3}))
    single = cache_size(Launch(model, Options()))
    assert single == 4096 * 30 * 192 * 4
    assert cache_size(Launch(model, Options(), parallel=2)) == 2 * single
