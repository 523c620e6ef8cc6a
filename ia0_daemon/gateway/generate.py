"""The way of a request to `/llm/generate`, top to bottom.

    request limits -> validate -> route -> admission -> gate and engine -> response

Authentication came before (`app.py`, for every route); the log line and the
metrics come after, when the last byte is out (`record.py`). Gate and engine are
one step, since an answer that a restart cuts passes both again
(`carry_on.py`). No step knows the one after the next; this page is where they
are joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from ia0_daemon.engine.client import Question
from ia0_daemon.engine.messages import Message
from ia0_daemon.errors import EngineError, UnsupportedMediaType
from ia0_daemon.gateway import respond
from ia0_daemon.gateway.carry_on import Endurance, LastingAnswer
from ia0_daemon.gateway.validate import GenerateRequest, generate_request

if TYPE_CHECKING:
    from flask import Request

    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.service import Live, Service


def generate(service: Service, live: Live, call: Call, http: Request) -> Response:
    """Answer one request; raises the errors of `errors.py`."""
    check_media_type(http)
    wanted = generate_request(http.get_data(cache=False), live.settings.limits)
    model = live.catalog.choose(wanted.model)
    call.model, call.requested_model, call.stream = model.name, wanted.model or "", wanted.stream
    service.admission.enter(call.resources, live.settings.server.max_in_flight)
    question = Question(
        model,
        _messages(wanted),
        _options(wanted, live),
        may_resume=wanted.resume,
        request_id=call.request_id,
    )
    answer = LastingAnswer(live.client, service.gate, question, call, _endurance(service, live))
    call.resources.callback(answer.close)
    answer.begin()
    if wanted.stream:
        return _stream(live, call, wanted, answer, http)
    return _whole(live, call, wanted, answer)


def check_media_type(http: Request) -> None:
    """Take JSON in UTF-8, not compressed. Raises `UnsupportedMediaType`."""
    charset = http.mimetype_params.get("charset", "utf-8").lower()
    if http.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            "Content-Type: the body must be application/json in UTF-8",
            field="Content-Type",
            value=http.headers.get("Content-Type", ""),
        )
    encoding = http.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(
            "Content-Encoding: compressed bodies are not taken", field="Content-Encoding", value=encoding
        )


def _endurance(service: Service, live: Live) -> Endurance:
    restart = live.settings.restart
    return Endurance(restart.max_resumes, restart.max_wait_s, service.is_hopeful, service.nudge)


def _messages(wanted: GenerateRequest) -> list[Message]:
    system = [Message("system", wanted.system)] if wanted.system else []
    return [*system, Message("user", wanted.prompt)]


def _options(wanted: GenerateRequest, live: Live) -> dict[str, Any]:
    if wanted.params is None:
        return {"num_predict": live.settings.limits.max_tokens}
    return wanted.params.options(live.settings.limits)


def _whole(live: Live, call: Call, wanted: GenerateRequest, answer: LastingAnswer) -> Response:
    for _ in answer.texts():
        call.note_first_token()
    _finish(live, call, wanted, answer)
    body = {"text": answer.text(), **respond.figures(call)}
    return Response(respond.encode(body), mimetype="application/json")


def _stream(
    live: Live, call: Call, wanted: GenerateRequest, answer: LastingAnswer, http: Request
) -> Response:
    """Wait for the first token, so that what fails before it still gets a status of its own."""
    texts = answer.texts()
    first = next(texts, "")
    call.note_first_token()
    events = respond.SSE in http.headers.get("Accept", "")
    write = respond.as_event if events else respond.as_line
    body = respond.stream(call, first, texts, lambda: _finish(live, call, wanted, answer), write)
    response = Response(body, mimetype=respond.SSE if events else respond.NDJSON)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the tokens back
    return response


def _finish(live: Live, call: Call, wanted: GenerateRequest, answer: LastingAnswer) -> None:
    if answer.last is None:
        raise EngineError("the engine ended the answer without saying that it is done")
    call.note_figures(answer.last, answer.figures())
    if live.settings.log.prompts:
        call.texts = {"prompt": wanted.prompt, "system": wanted.system or "", "text": answer.text()}
