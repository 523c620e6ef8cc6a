"""Every error becomes the class that the openai package has for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.errors import EngineRestarting, EngineTimeout, ModelUnavailable, Overloaded, RateLimited
from ia0_daemon.gate import Gate
from ia0_daemon.gateway.app import api
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.keys import new_key
from ia0_daemon.settings.schema import Settings
from tests.daemon_process import DaemonProcess
from tests.fakes import MODEL, FakeClient, FakeControl
from tests.integration.clients.conftest import NAME, MakeClient
from tests.scripted_engine import ScriptedEngine

HELLO: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def failing() -> FakeClient:
    return FakeClient()


@pytest.fixture
def fake_client(failing: FakeClient) -> Iterator[OpenAI]:
    """The package in front of the application itself, whose engine fails as the test says."""
    import httpx2  # the package's own client

    watch = EngineWatch(FakeControl(), 5)
    watch.refresh()
    service = Service(Live.of(Settings(models={"small": MODEL}), failing, watch), Metrics(), Gate(16, 30))
    service.metrics.watch(service)
    transport = httpx2.WSGITransport(app=api(service))
    with (
        httpx2.Client(transport=transport) as http,
        OpenAI(base_url="http://ia0/v1", api_key="none", max_retries=0, http_client=http) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (RateLimited("too many", retry_after_s=7), openai.RateLimitError, "rate_limit_exceeded"),
        (Overloaded("full", retry_after_s=7), openai.InternalServerError, "overloaded"),
        (EngineRestarting("wait", retry_after_s=7), openai.InternalServerError, "engine_restarting"),
        (ModelUnavailable("gone", retry_after_s=7), openai.InternalServerError, "model_unavailable"),
        (EngineTimeout("silent", retry_after_s=7), openai.InternalServerError, "timeout"),
    ],
)
def test_what_may_be_tried_again_says_when(
    fake_client: OpenAI, failing: FakeClient, error: Exception, kind: type[openai.APIStatusError], code: str
) -> None:
    failing.error = error
    with pytest.raises(kind) as caught:
        fake_client.chat.completions.create(model=NAME, messages=HELLO)
    assert (caught.value.code, caught.value.response.headers["Retry-After"]) == (code, "7")


def test_a_wrong_key_is_an_authentication_error(
    scripted: ScriptedEngine, tmp_path: Path, make_client: MakeClient
) -> None:
    key, digest = new_key()
    sections = {"auth": {}, "[auth.keys]": {"name": "shop", "sha256": digest}}
    with DaemonProcess(tmp_path, scripted.url, sections) as daemon:
        right, wrong = make_client(daemon, key), make_client(daemon, "ia0-wrong")
        assert right.chat.completions.create(model=NAME, messages=HELLO).choices
        assert next(iter(right.models.list())).id == NAME
        with pytest.raises(openai.AuthenticationError) as caught:
            wrong.chat.completions.create(model=NAME, messages=HELLO)
        assert caught.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            wrong.models.list()


def test_a_key_that_has_used_up_its_limit_is_a_rate_limit_error(
    scripted: ScriptedEngine, tmp_path: Path, make_client: MakeClient
) -> None:
    key, digest = new_key()
    limited = {"name": "shop", "sha256": digest, "requests_per_minute": 1}
    with DaemonProcess(tmp_path, scripted.url, {"auth": {}, "[auth.keys]": limited}) as daemon:
        client = make_client(daemon, key)
        client.chat.completions.create(model=NAME, messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=NAME, messages=HELLO)
        assert caught.value.code == "rate_limit_exceeded"
        assert int(caught.value.response.headers["Retry-After"]) >= 1
        assert client.models.list().data


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=stream)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_does_not_fit_says_so(client: OpenAI, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": "many words " * 600}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=messages, stream=stream)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("before", [[], [{"role": "assistant", "content": "Go on."}]], ids=["one", "several"])
def test_a_prompt_that_may_be_shortened_is_answered_and_the_answer_says_so(
    client: OpenAI, before: list[Any]
) -> None:
    found = client.chat.completions.with_raw_response.create(
        model=NAME,
        messages=[*HELLO, *before, {"role": "user", "content": "many words " * 600}],
        max_tokens=3,
        extra_body={"truncate": True},
    )
    assert "tokens" in found.headers["X-IA0-Truncated"]


def test_too_many_tokens_are_a_bad_request_that_names_the_field(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=HELLO, max_tokens=100_000)
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_that_the_engine_cannot_follow_is_a_bad_request(client: OpenAI, stream: bool) -> None:
    schema: Any = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?=a)b$"}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema | {"required": "a"}}}
    with pytest.raises(openai.BadRequestError, match="form that was asked for"):
        client.chat.completions.create(
            model=NAME, messages=HELLO, max_tokens=20, temperature=0, stream=stream, response_format=form
        )


def test_a_field_that_cannot_be_honoured_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=HELLO, n=2)
    assert caught.value.param == "n"
