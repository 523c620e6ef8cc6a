"""What a key may do, how much of it, and what an answer says of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.errors import EngineError
from ia0_daemon.gateway.service import Service
from ia0_daemon.keys import new_key
from ia0_daemon.settings.schema import ApiKey, Auth, Model
from tests.fakes import TAG, FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Reconfigure

Ask = Callable[..., TestResponse]
MODELS = {"a": Model(name="one", tag=TAG), "b": Model(name="two", tag="two:1b", fallbacks=("one",))}


@pytest.fixture
def ask(http: FlaskClient, reconfigure: Reconfigure) -> Callable[..., Ask]:
    """Make the only key there is, and give a function that asks with it."""

    def with_key(**rights: Any) -> Ask:
        plain, sha256 = new_key()
        reconfigure(models=MODELS, auth=Auth(keys=(ApiKey(name="shop", sha256=sha256, **rights),)))

        def post(
            path: str = "/llm/generate", *, method: str = "POST", buffered: bool = True, **body: Any
        ) -> TestResponse:
            headers = {"Authorization": f"Bearer {plain}"}
            said = {"prompt": "Hi", **body} if method == "POST" else None
            return http.open(path, method=method, json=said, headers=headers, buffered=buffered)

        return post

    return with_key


def limited(service: Service, limit: str) -> float:
    return service.metrics.registry.get_sample_value("ia0_rate_limited_total", {"limit": limit}) or 0


def test_a_request_beyond_the_keys_limit_is_refused_and_the_answer_says_when_to_come_back(
    ask: Callable[..., Ask], service: Service, engine: FakeClient
) -> None:
    post = ask(requests_per_minute=2)
    answers = [post() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].get_json()["code"] == "RATE_LIMITED"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert limited(service, "requests_per_minute") == 1
    assert len(engine.asked) == 2


def test_a_request_that_is_wrong_counts_too(ask: Callable[..., Ask]) -> None:
    post = ask(requests_per_minute=1)
    assert [post(prompt="").status_code, post().status_code] == [400, 429]


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps", "/api/show"])
def test_what_asks_the_engine_about_its_models_counts_too(ask: Callable[..., Ask], path: str) -> None:
    post = ask(requests_per_minute=1)
    post()
    refusal = post(path, model="one") if path == "/api/show" else post(path, method="GET")
    assert (refusal.status_code, refusal.get_json()["code"]) == (429, "RATE_LIMITED")


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_settled_when_the_answer_is_out(ask: Callable[..., Ask], stream: bool) -> None:
    post = ask(tokens_per_minute=15)  # an answer has 10
    assert [post(stream=stream).status_code for _ in range(3)] == [200, 200, 429]


def test_a_kept_answer_costs_no_tokens(ask: Callable[..., Ask]) -> None:
    post = ask(tokens_per_minute=15)
    assert {post(params={"temperature": 0}).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize("params", [{}, {"temperature": 0}])
@pytest.mark.parametrize(("stream", "status"), [(True, 200), (False, 502)])
def test_a_broken_answer_costs_what_was_written(
    ask: Callable[..., Ask], engine: FakeClient, stream: bool, status: int, params: dict[str, Any]
) -> None:
    post = ask(tokens_per_minute=2)
    engine.script = [FakeAnswer(["a", "b", EngineError("failed")])]
    assert [post(stream=stream, params=params).status_code, post().status_code] == [status, 429]


def test_a_broken_answer_costs_about_what_was_read(ask: Callable[..., Ask], engine: FakeClient) -> None:
    post = ask(tokens_per_minute=100)
    engine.script = [FakeAnswer(["a"]), FakeAnswer(["a", EngineError("failed")])]
    prompts = ["x" * 70, "x" * 1000]  # the first one has 7 tokens, as the engine says
    assert {post(stream=True, prompt=prompt).status_code for prompt in prompts} == {200}
    assert post().status_code == 429


def test_a_shared_answer_is_paid_by_one_who_has_it_whole(ask: Callable[..., Ask], engine: FakeClient) -> None:
    post = ask(tokens_per_minute=9)  # an answer has 10
    body = {"stream": True, "params": {"temperature": 0}}
    first = post(buffered=False, **body)
    next(iter(first.response))
    shared = post(buffered=False, **body)
    next(iter(shared.response))
    first.close()  # it has taken one line
    assert b'"cached":true' in b"".join(shared.response)
    shared.close()
    assert len(engine.asked) == 1
    assert post().status_code == 429


def test_seats_of_a_key_are_given_back(ask: Callable[..., Ask]) -> None:
    post = ask(max_concurrent=1)
    assert [post().status_code for _ in range(3)] == [200, 200, 200]


def test_a_key_may_use_its_models_alone(ask: Callable[..., Ask], engine: FakeClient) -> None:
    post = ask(models=("two",))
    refused = post(model="one").get_json()
    assert (refused["code"], refused["details"]["allowed"]) == ("FORBIDDEN", ["two"])
    engine.script = [EngineError("failed")]
    assert post(model="two").status_code == 502  # its fallback is no model of this key's
    assert [question.model.name for question in engine.asked] == ["two"]


def test_a_key_is_told_of_its_models_alone(ask: Callable[..., Ask]) -> None:
    post = ask(models=("two",))
    told = post("/models", method="GET").get_json()
    assert ([each["name"] for each in told["models"]], told["default"]) == (["two"], "two")
    assert post(model="three").get_json()["details"]["known"] == ["two", "auto"]


def test_another_keys_kept_answer_is_not_for_one_who_may_not_use_the_model(
    ask: Callable[..., Ask], engine: FakeClient
) -> None:
    body = {"params": {"temperature": 0}, "model": "one"}
    assert ask()(**body).status_code == 200
    assert ask(models=("two",))(**body).status_code == 403
    assert len(engine.asked) == 1


def test_what_a_key_tells_every_model_stands_before_the_prompt(
    ask: Callable[..., Ask], engine: FakeClient
) -> None:
    ask(system="You sell shoes.")()
    assert engine.asked[0].messages[0].content == "You sell shoes."


# Behind the right to ask stands an engine that is not there.
@pytest.mark.parametrize(("admin", "status"), [(False, 403), (True, 502)])
def test_only_an_administrators_key_changes_models(ask: Callable[..., Ask], admin: bool, status: int) -> None:
    assert ask(admin=admin)("/api/copy").status_code == status
