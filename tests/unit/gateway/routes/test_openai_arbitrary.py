"""Whatever stands in the fields that are known, the worst that comes of it is a refusal."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia0_daemon.gateway.operation import Operation
from ia0_daemon.gateway.routes.openai_table import OPERATIONS
from tests.fakes import FakeClient

POSTS = [operation for operation in OPERATIONS if operation.method == "POST"]
# What gets behind the first checks, beside what does not.
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["user", "tool", "text", "message", "function", "data:image/png;base64,AAAA", "{}"])
)
NAMES = st.sampled_from(["type", "role", "content", "text", "function", "name", "schema"]) | st.text(
    max_size=4
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ASKED: dict[str, Any] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/embeddings": {"input": "Hi"},
    "/v1/responses": {"input": "Hi"},
}


@pytest.mark.parametrize("operation", POSTS, ids=lambda operation: operation.path)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_arbitrary_values_are_answered_or_refused(
    http: FlaskClient, engine: FakeClient, operation: Operation, data: st.DataObject
) -> None:
    assert operation.takes is not None
    known = [field.encode_name for field in msgspec.structs.fields(operation.takes)]
    chosen = data.draw(st.dictionaries(st.sampled_from(known), VALUES, min_size=1, max_size=3))
    engine.bodies = [b'{"embeddings":[[0.5]]}']
    body = json.dumps({**ASKED[operation.path], **chosen})
    response = http.post(operation.path, data=body, content_type="application/json", buffered=True)
    assert response.status_code in (200, 400, 404) or "vectors for" in response.text
    assert "internal_error" not in response.text


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/api/chat",
            '{"messages":[{"role":"user","content":"Hi"}],"options":{"temperature":0},"format":%s}',
        ),
        ("/v1/responses", '{"input":"Hi","metadata":%s}'),
        ("/v1/responses", '{"input":"Hi","stream":true,"metadata":%s}'),
        (
            "/v1/chat/completions",
            '{"messages":[{"role":"user","content":"Hi"}],"temperature":0,'
            '"tools":[{"type":"function","function":{"name":"f","parameters":%s}}]}',
        ),
    ],
)
def test_what_is_nested_too_deeply_to_be_written_again_is_refused_when_it_is_read(
    http: FlaskClient, path: str, body: str
) -> None:
    for depth in range(700, 1000):  # at one of them it begins to be too deep
        response = http.post(path, data=body % nested(depth), content_type="application/json", buffered=True)
        assert response.status_code in (200, 400), depth
        assert "internal error" not in response.text, depth
    assert response.status_code == 400
