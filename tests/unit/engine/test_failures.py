"""What each error of the engine means to a caller: the table of Ollama's errors."""

from __future__ import annotations

import json

import pytest

from ia0_daemon.engine.failures import of_response, of_text
from ia0_daemon.errors import AnswerAborted, EngineInterrupted, ServiceError

TAG = "qwen2:7b"
STOPPED = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
    "check ollama server logs for details"
)
TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)
PASSED_ON = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "request (6004 tokens) exceeds the available context size (4096 tokens)",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 6004,
            "n_ctx": 4096,
        }
    }
)
TABLE = [
    (400, "missing request body", "INVALID_REQUEST"),
    (400, "model is required", "INVALID_REQUEST"),
    (400, "top_logprobs must be between 0 and 20", "INVALID_REQUEST"),
    (400, '"qwen2:7b" does not support chat', "INVALID_REQUEST"),
    (400, "qwen2:7b does not support tools", "INVALID_REQUEST"),
    (400, "the input length exceeds the context length", "CONTEXT_LENGTH_EXCEEDED"),
    (400, "invalid model name", "INVALID_REQUEST"),
    (400, "raw mode does not support template, system, or context", "INVALID_REQUEST"),
    (400, "the input length exceeds the context length", "CONTEXT_LENGTH_EXCEEDED"),
    (500, "template: :1: unexpected EOF", "INVALID_REQUEST"),
    (500, 'option "top_k" must be of type integer', "INVALID_REQUEST"),
    (500, "image input is not supported - hint: you may need to provide the mmproj", "INVALID_REQUEST"),
    (500, 'detokenize error: {"error":{"code":500,"message":"vector::_M_range_check"}}', "INVALID_REQUEST"),
    (
        500,
        '{"error":{"code":500,"message":"Failed to parse tools: Unsupported tool type"}}',
        "INVALID_REQUEST",
    ),
    (500, "invalid JSON schema in format", "INVALID_REQUEST"),
    (500, "detokenize error: the model's process cannot be reached", "ENGINE_ERROR"),
    (400, TOO_LONG, "CONTEXT_LENGTH_EXCEEDED"),
    (400, PASSED_ON, "CONTEXT_LENGTH_EXCEEDED"),
    (404, "model 'qwen2:7b' not found", "MODEL_UNAVAILABLE"),
    (404, 'model "qwen2:7b" not found, try pulling it first', "MODEL_UNAVAILABLE"),
    (405, "", "ENGINE_ERROR"),
    (403, "", "ENGINE_ERROR"),
    (499, "request canceled", "ENGINE_ERROR"),
    (503, "server busy, please try again.  maximum pending requests exceeded", "OVERLOADED"),
    (500, STOPPED, "ENGINE_ERROR"),
    (500, f"{STOPPED}: CUDA error", "ENGINE_ERROR"),
    (500, "an error was encountered while running the model: EOF", "ENGINE_ERROR"),
    (500, "llama-server process has terminated: exit status 1: oom", "MODEL_UNAVAILABLE"),
    (500, "llama-server process has terminated: signal: aborted (core dumped)", "MODEL_UNAVAILABLE"),
    (500, "timed out waiting for llama-server to start - progress 0.00 - ", "MODEL_UNAVAILABLE"),
    (500, "unable to load full model on GPU", "MODEL_UNAVAILABLE"),
    (500, "prediction aborted, token repeat limit reached", "ENGINE_ERROR"),
]


@pytest.mark.parametrize(("status", "text", "code"), TABLE)
def test_an_error_of_the_engine_becomes_a_code_of_ours(status: int, text: str, code: str) -> None:
    assert of_response(status, json.dumps({"error": text}).encode(), TAG).code == code


@pytest.mark.parametrize("end", ["signal: killed", "signal: terminated: last words"])
def test_a_model_whose_process_was_killed_while_it_loaded_may_be_asked_for_again(end: str) -> None:
    error = of_text(f"llama-server process has terminated: {end}", 500, TAG)
    assert isinstance(error, EngineInterrupted)


def test_a_newer_engine_says_that_a_model_repeated_itself() -> None:
    assert isinstance(of_text("prediction aborted, token repeat limit reached", 200, TAG), AnswerAborted)


def test_the_lengths_are_told_where_the_engine_tells_them() -> None:
    error = of_response(400, json.dumps({"error": PASSED_ON}).encode(), TAG)
    assert error.details == {"prompt_tokens": 6004, "context_tokens": 4096}


def test_a_full_queue_says_when_to_come_back() -> None:
    assert int(of_text("server busy", 503, TAG).headers()["Retry-After"]) >= 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b'{"error": 3}', b"{}"])
def test_a_body_that_is_no_error_of_ollamas_is_told_by_its_status(body: bytes) -> None:
    assert "status 502 without a text" in of_response(502, body, TAG).message


def test_an_error_line_of_a_stream_is_translated_like_a_body() -> None:
    assert of_text(STOPPED, 200, TAG).details == {"engine_error": STOPPED, "engine_status": 200}


def test_a_request_that_the_engine_gave_up_may_be_asked_again() -> None:
    assert isinstance(of_text("request canceled", 499, TAG), EngineInterrupted)


def said_of(error: ServiceError) -> str:
    return f"{error.message} {error.details}"


@pytest.mark.parametrize("status", [200, 400, 500])
def test_what_the_engine_repeats_of_a_prompt_is_not_repeated(status: int) -> None:
    text = 'Failed to parse messages: no role; messages = [\n  {"content": "my secret"}\n]'
    said = said_of(of_text(text, status, TAG))
    assert "Failed to parse messages: no role; ..." in said
    assert "my secret" not in said


def test_a_text_of_the_engine_has_a_bound() -> None:
    assert len(said_of(of_text("x" * 100_000, 500, TAG))) < 3000
