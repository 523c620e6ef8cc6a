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
