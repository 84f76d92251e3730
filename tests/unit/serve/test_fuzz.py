"""Whatever is sent, a server answers with a score or with a refusal that names its reason; never with an error of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from goldsmith.serve.dialects import DIALECTS

TEXT = st.text(max_size=20) | st.sampled_from(["<|im_start|>assistant\nx<|im_end|>\n", "<|im_start|>", "\ud800", "\x00", "<pad>"])
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool", "wizard", ""]) | TEXT, "content": TEXT | JSON}
)
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "messages": st.lists(TURN, max_size=3) | st.lists(TEXT, max_size=3),
    "context": st.lists(TURN, max_size=3),
    "conversations": st.lists(st.lists(TURN, max_size=3), max_size=3),
    "input": TEXT
    | st.lists(TEXT | st.integers(-5, 400), max_size=4)
    | st.lists(st.lists(st.integers(-5, 400), max_size=4), max_size=2),
    "input_ids": st.lists(st.integers(-5, 400), max_size=4) | st.lists(st.lists(st.integers(-5, 400), max_size=4), max_size=2),
    "inputs": TEXT | st.lists(TEXT, max_size=3) | st.lists(st.lists(TEXT, max_size=3), max_size=3),
    "documents": st.lists(TEXT | st.dictionaries(TEXT, JSON, max_size=2), max_size=3),
    "replies": st.lists(TEXT | JSON, max_size=3),
}
ROUTES = [(dialect, route) for dialect in DIALECTS.values() for route in dialect.routes]


def _body(fields: list[str]) -> st.SearchStrategy[Any]:
    """Bodies with the fields of a request, well formed and not."""
    one = {name: NAMED.get(name, TEXT | st.lists(TEXT, max_size=3)) | JSON for name in fields}
    return st.fixed_dictionaries({}, optional=one)


@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=[f"{dialect.name}{route.path}" for dialect, route in ROUTES])
def test_no_body_is_an_error_of_ours(server: TestClient, dialect: Any, route: Any) -> None:
    schema = route.request.model_json_schema()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_body([*schema["properties"], "activation"]))
    def fuzz(body: Any) -> None:
        content = json.dumps(body).encode("utf-8", "surrogatepass")
        response = server.post(f"/{dialect.name}{route.path}", content=content)
        assert response.status_code < 500, (content, response.text)
        if response.status_code != 200:
            assert response.headers["x-goldsmith-error"] not in ("", "bug")
            dialect.error.model_validate_json(response.content)

    fuzz()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200)
    | st.integers(1, 100_000).map(lambda depth: b"[" * depth)
    | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
)
def test_no_bytes_are_an_error_of_ours(server: TestClient, content: bytes) -> None:
    for path in ("/classify", "/goldsmith/v1/score", "/predict"):
        assert server.post(path, content=content).status_code in (400, 422)


def test_schemathesis_finds_no_error_of_ours(server: TestClient) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    # Not `from_asgi`: it would start the application a second time, and stop it for all.
    schema = schemathesis.openapi.from_dict(server.get("/openapi.json").json())
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add(operation.path)
        if "reload" in operation.path:
            continue

        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            response = server.request(
                case.method, case.formatted_path, json=case.body if isinstance(case.body, dict | list) else {}
            )
            assert response.status_code < 500, (case.formatted_path, case.body, response.text)

        check()
    assert {"/classify", "/goldsmith/v1/score", "/tei/predict", "/health"} <= seen
