"""What becomes of the `options` of Ollama's requests."""

from __future__ import annotations

import msgspec
import pytest

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.body import BodyReader
from ia0_daemon.gateway.routes.ollama_options import WITHOUT_EFFECT, Options, for_vectors, sampling
from ia0_daemon.settings.schema import Limits

LIMITS = Limits(max_tokens=100)
STRIP = Limits(max_tokens=100, runner_options="strip")


@pytest.mark.parametrize("wanted", [None, -1, -2])
def test_no_bound_is_the_most_that_is_allowed(wanted: int | None) -> None:
    assert sampling(Options(num_predict=wanted), LIMITS) == {"num_predict": 100}


def test_nothing_said_is_the_most_that_is_allowed() -> None:
    assert sampling(None, LIMITS) == {"num_predict": 100}


def test_a_bound_is_kept_and_never_clamped() -> None:
    assert sampling(Options(num_predict=7), LIMITS)["num_predict"] == 7
    with pytest.raises(InvalidRequest, match=r"options\.num_predict: 101 .* limits\.max_tokens"):
        sampling(Options(num_predict=101), LIMITS)


def test_what_is_said_goes_on_and_what_is_null_does_not() -> None:
    said = Options(temperature=0.0, seed=0, top_k=None, num_predict=1)
    assert sampling(said, LIMITS) == {"temperature": 0.0, "seed": 0, "num_predict": 1}


def test_one_stop_is_a_list_of_one() -> None:
    assert sampling(Options(stop="x"), LIMITS)["stop"] == ["x"]


@pytest.mark.parametrize("name", ["num_ctx", "num_gpu", "num_thread", "draft_num_predict"])
def test_what_would_load_the_model_again_is_refused_or_left_out(name: str) -> None:
    said = msgspec.convert({name: 1}, Options)
    with pytest.raises(InvalidRequest, match=rf"options\.{name}"):
        sampling(said, LIMITS)
    with pytest.raises(InvalidRequest, match=rf"options\.{name}"):
        for_vectors(said, LIMITS)
    assert sampling(said, STRIP) == {"num_predict": 100}


def test_what_no_engine_knows_any_more_is_taken_and_left_out() -> None:
    kinds = {field.encode_name: field.type for field in msgspec.structs.fields(Options)}
    values = {name: True if kinds[name] == bool | None else 1 for name in WITHOUT_EFFECT}
    assert for_vectors(msgspec.convert(values, Options), LIMITS) == {}


def test_an_unknown_option_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidRequest, match="turbo: unknown field; known here: num_keep, seed, num_predict"):
        BodyReader(Options).read(b'{"turbo": 1}')
