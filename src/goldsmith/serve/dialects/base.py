"""What a dialect is: routes, each two pure functions (request to plan, outcome to reply), and one shape of error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from goldsmith.serve.items import Outcome, Plan
from goldsmith.serve.problem import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint.

    Attributes:
        path: without the dialect's prefix.
        request: type of its body.
        reply: type of its answer.
        plan: from a request to what is to be scored.
        answer: from a request and what was found to the reply.
        summary: for the description of the API.
    """

    path: str
    request: type[BaseModel]
    reply: Any
    plan: Callable[[Any], Plan]
    answer: Callable[[Any, Outcome], Any]
    summary: str

    def encode(self, answer: Any) -> bytes:
        """Return a reply as JSON."""
        return TypeAdapter(self.reply).dump_json(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The shapes of one program's HTTP API.

    Attributes:
        name: also the prefix of its paths.
        routes: its endpoints.
        error: type of an error's body.
        problem: from a refusal and the request's id to an error's body.
        statuses: statuses that the program itself gives where ours would be another.
    """

    name: str
    routes: Sequence[Route]
    error: type[BaseModel]
    problem: Callable[[Refusal, str], BaseModel]
    statuses: Mapping[str, int]

    def status(self, refusal: Refusal) -> int:
        """Return the HTTP status of a refusal, by its code."""
        return self.statuses.get(refusal.code, refusal.status)
