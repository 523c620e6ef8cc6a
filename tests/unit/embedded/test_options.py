import logging
from dataclasses import replace
from typing import Any

import pytest

from ia0_daemon.embedded.failures import EngineFailure
from ia0_daemon.embedded.options import Options, apply


def test_defaults_are_ollamas() -> None:
    options = Options()
    assert (options.temperature, options.top_k, options.top_p, options.num_keep) == (0.8, 40, 0.9, 4)


def test_values_are_laid_over_the_defaults() -> None:
    options = apply(
        Options(), {"temperature": 0, "num_predict": 5.0, "stop": ["a"], "use_mmap": False, "seed": None}
    )
    assert (options.temperature, options.num_predict, options.stop) == (0.0, 5, ("a",))
    assert (options.use_mmap, options.seed) == (False, -1)


def test_an_unknown_option_is_warned_of_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert apply(Options(), {"bogus": 1}) == Options()
    assert "invalid option provided option=bogus" in caplog.text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"num_ctx": "many"}, 'option "num_ctx" must be of type integer'),
        ({"num_ctx": True}, 'option "num_ctx" must be of type integer'),
        ({"temperature": "hot"}, 'option "temperature" must be of type float32'),
        ({"stop": "a"}, 'option "stop" must be of type array'),
        ({"stop": [1]}, 'option "stop" must be of an array of strings'),
        ({"use_mmap": 1}, 'option "use_mmap" must be of type boolean'),
    ],
)
def test_a_wrong_type_is_refused_in_ollamas_words(given: dict[str, object], text: str) -> None:
    with pytest.raises(EngineFailure, match=text):
        apply(Options(), given)


def _with(name: str) -> Options:
    changes: dict[str, Any] = {name: 7}
    return replace(Options(), **changes)


@pytest.mark.parametrize(("asked", "bounded"), [(-1, 40960), (10, 10), (99999, 40960), (0, 0)])
def test_an_open_end_is_bounded_by_ten_contexts(asked: int, bounded: int) -> None:
    assert Options(num_predict=asked).bounded_predict(4096) == bounded


@pytest.mark.parametrize(
    "name", ["num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict"]
)
def test_these_options_make_a_model_load_again(name: str) -> None:
    assert _with(name).runner_key() != Options().runner_key()
    assert replace(Options(), use_mmap=False).runner_key() != Options().runner_key()


@pytest.mark.parametrize("name", ["temperature", "seed", "num_predict", "num_keep", "top_k"])
def test_any_other_option_leaves_it_loaded(name: str) -> None:
    assert _with(name).runner_key() == Options().runner_key()
