"""Whatever is sent, a server answers with a score or with a refusal that names its reason; never with an error of its own."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from goldsmith.serve.dialects import DIALECTS
from serving import valid_bodies

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


def _spoilt(body: Any) -> st.SearchStrategy[Any]:
    """A body with one place changed: another value, none, or a value of its own kind; elsewhere it is as good as it was."""
    if isinstance(body, dict) and body:
        inner = st.sampled_from(sorted(body)).flatmap(
            lambda name: (
                _spoilt(body[name]).map(lambda value: {**body, name: value})
                | st.just({key: value for key, value in body.items() if key != name})
            )
        )
        return inner | st.dictionaries(TEXT, JSON, max_size=2).map(lambda more: {**body, **more})
    if isinstance(body, list) and body:
        inner = st.integers(0, len(body) - 1).flatmap(
            lambda place: _spoilt(body[place]).map(lambda value: [*body[:place], value, *body[place + 1 :]])
        )
        return inner | st.integers(0, 3).map(lambda times: body * times) | JSON
    return LEAF | JSON


def _body(valid: dict[str, Any], fields: list[str]) -> st.SearchStrategy[Any]:
    """Bodies with the fields of a request, well formed and not; most of them good but for one place, so that they get far."""
    one = {name: NAMED.get(name, TEXT | st.lists(TEXT, max_size=3)) | JSON for name in fields}
    return _spoilt(valid) | st.fixed_dictionaries({}, optional=one).map(lambda more: {**valid, **more})


@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=[f"{dialect.name}{route.path}" for dialect, route in ROUTES])
def test_no_body_is_an_error_of_ours(server: TestClient, text: str, dialect: Any, route: Any) -> None:
    path, schema = f"/{dialect.name}{route.path}", route.request.model_json_schema()
    valid: dict[str, Any] = dict(valid_bodies(text)[path])
    assert server.post(path, json=valid).status_code == 200
    seen: Counter[int] = Counter()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_body(valid, [*schema["properties"], "activation"]))
    def fuzz(body: Any) -> None:
        content = json.dumps(body).encode("utf-8", "surrogatepass")
        response = server.post(path, content=content)
        seen[response.status_code] += 1
        assert response.status_code < 500, (content, response.text)
        if response.status_code != 200:
            assert response.headers["x-goldsmith-error"] not in ("", "bug")
            dialect.error.model_validate_json(response.content)

    fuzz()
    # Some of it was answered, and some was not: neither half is empty.
    assert seen[200]
    assert sum(seen.values()) > seen[200]


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
    # Not `from_asgi`: it would start the application a second time, and stop it for all.
    schema = schemathesis.openapi.from_dict(server.get("/openapi.json").json())
    seen = {operation.path: _statuses(server, operation) for operation in (result.ok() for result in schema.get_all_operations())}
    assert set(seen) == set(server.get("/openapi.json").json()["paths"])
    # Some of what was sent was scored, so that it got through to the model; bodies that are nearly right are the other test's.
    assert seen["/health"][200]
    assert any(counts[200] for path, counts in seen.items() if path.endswith("rerank")), seen


def _statuses(server: TestClient, operation: Any) -> Counter[int]:
    """Send what the description of an operation allows, and count the statuses, each of which the description must name."""
    documented, seen = set(operation.definition.raw["responses"]), Counter[int]()

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        body = {"content": json.dumps(case.body)} if isinstance(case.body, dict | list | str | int | float) else {}
        response = server.request(case.method, case.formatted_path, **body)
        seen[response.status_code] += 1
        assert response.status_code < 500, (case.formatted_path, case.body, response.text)
        assert str(response.status_code) in documented, (case.formatted_path, response.status_code)

    check()
    return seen
