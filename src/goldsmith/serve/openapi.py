"""The description of the API (OpenAPI 3.1), made from the routes and their types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from goldsmith.serve.dialects.base import Dialect, Route
from goldsmith.version import code_version
from goldsmith.wire import goldsmith as wire

REFUSALS = {
    "400": "The request cannot be answered as it is.",
    "401": "No API key, or none that is known.",
    "404": "No such model.",
    "408": "The body did not arrive.",
    "413": "The body is too large.",
    "422": "The request cannot be answered as it is.",
    "429": "Too many requests; Retry-After says when to try again.",
    "500": "The server failed.",
    "503": "Overloaded, loading or stopping; Retry-After says when to try again.",
}


def describe(paths: Mapping[str, tuple[Dialect, Route]]) -> bytes:
    """Return the description as JSON."""
    schemas: dict[str, Any] = {}
    described: dict[str, Any] = {}
    for path, (dialect, route) in sorted(paths.items()):
        described[path] = {
            "post": {
                "operationId": path.strip("/").replace("/", "_"),
                "summary": route.summary,
                "tags": [dialect.name],
                "requestBody": {"required": True, "content": _json(_schema(route.request, "validation", dialect.name, schemas))},
                "responses": {
                    "200": {
                        "description": "Scores; x-goldsmith-activation says which activation was applied.",
                        "content": _json(_schema(route.reply, "serialization", dialect.name, schemas)),
                    },
                    **_refusals(_schema(dialect.error, "serialization", dialect.name, schemas)),
                },
            }
        }
    described |= _operation(schemas)
    page = {
        "openapi": "3.1.0",
        "info": {"title": "Goldsmith", "version": code_version(), "description": "Scores of reward models."},
        "paths": described,
        # A server without a file of keys asks for none.
        "security": [{"key": []}, {}],
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }
    return json.dumps(page).encode()


def _operation(schemas: dict[str, Any]) -> dict[str, Any]:
    error = _refusals(_schema(wire.ProblemReply, "serialization", "goldsmith", schemas))
    found: dict[str, Any] = {}
    for path, reply in (("/goldsmith/v1/models", wire.ModelList), ("/v1/models", wire.OpenAIModels)):
        content = _json(_schema(reply, "serialization", "goldsmith", schemas))
        found[path] = {
            "get": {
                "summary": "The served models.",
                "tags": ["operation"],
                "responses": {"200": {"description": "Models.", "content": content}, **error},
            }
        }
    for path, text in (("/health", "The process answers."), ("/ready", "Every model answers."), ("/metrics", "For Prometheus.")):
        responses = {"200": {"description": text}, "503": {"description": "Not yet, or not any more."}}
        found[path] = {"get": {"summary": text, "tags": ["operation"], "security": [], "responses": responses}}
    found["/goldsmith/v1/reload"] = {
        "post": {
            "summary": "Load a new version of a model; the old one answers until it is checked.",
            "tags": ["operation"],
            "requestBody": {"content": _json(_schema(wire.ReloadRequest, "validation", "goldsmith", schemas))},
            "responses": {
                "200": {
                    "description": "It answers from now on.",
                    "content": _json(_schema(wire.ReloadReply, "serialization", "goldsmith", schemas)),
                },
                **error,
                "403": {"description": "Not allowed.", "content": error["400"]["content"]},
                "409": {"description": "The new version cannot be used.", "content": error["400"]["content"]},
            },
        }
    }
    return found


def _refusals(schema: Any) -> dict[str, Any]:
    return {status: {"description": text, "content": _json(schema)} for status, text in REFUSALS.items()}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schema(kind: Any, mode: Any, dialect: str, schemas: dict[str, Any]) -> Any:
    """Return the schema of a type; the types within it are named after the dialect, as several dialects have names in common."""
    template = f"#/components/schemas/{dialect}.{mode}.{{model}}"
    schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=template)
    schemas.update({f"{dialect}.{mode}.{name}": inner for name, inner in schema.pop("$defs", {}).items()})
    return schema
