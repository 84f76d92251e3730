"""What an attempt amounts to: a reading or an error, what it used, and whether it means that nobody need ask again."""

from __future__ import annotations

from dataclasses import replace

from goldsmith.errors import ProviderError
from goldsmith.llm.budget import price
from goldsmith.llm.client import Endpoint
from goldsmith.llm.response import Reading, read_response
from goldsmith.llm.retry import Attempt
from goldsmith.llm.spent import Spent

HOPELESS = frozenset({401, 402, 404})
"""Statuses that every further request would get too: wrong key, no money, no such model or path."""
FORBIDDEN, MOST_FORBIDDEN = 403, 20
"""Some servers forbid a single question for its content; when they forbid this many and answer none, it is the key."""
QUOTED_BYTES = 300


def understand(attempt: Attempt) -> tuple[Attempt, Reading | None]:
    """Return the attempt and what its answer says; an error that came as an answer is made the error it is."""
    if attempt.cause != "answered":
        return attempt, None
    reading = read_response(attempt.body, problem=attempt.problem)
    if reading.error_status is None:
        return attempt, reading
    quote = attempt.body[:QUOTED_BYTES].decode("utf-8", "replace")
    detail = f"HTTP {attempt.status} with an error inside: {quote}"
    return replace(attempt, cause="status", status=reading.error_status, body=b"", detail=detail), reading


def used_by(attempt: Attempt, reading: Reading | None, most: Spent, endpoint: Endpoint) -> tuple[Spent, bool]:
    """Return what a call used, and whether that is only its upper bound because the server did not say."""
    if reading is not None and reading.usage is not None:
        return price(endpoint.config, *reading.usage), False
    if attempt.cause == "unreachable":
        return Spent(), False
    # An error is not billed; whatever else came, or did not, may be.
    return (Spent(calls=1), False) if attempt.cause == "status" else (most, True)


def may_go_without_schema(attempt: Attempt, endpoint: Endpoint) -> bool:
    """Tell whether a refusal may be of the schema: the server says so, or has never answered a request with one."""
    return attempt.may_be_about_schema and (attempt.names_schema or endpoint.takes_schema is None)


def raise_if_hopeless(attempt: Attempt, endpoint: Endpoint) -> None:
    """Raise when every other question to the endpoint would end in the same way.

    Raises:
        ProviderError: the server refuses this key, model or path, or cannot be reached and never could.
    """
    config = endpoint.config
    endpoint.forbidden += attempt.status == FORBIDDEN
    is_forbidden = endpoint.forbidden >= MOST_FORBIDDEN and not endpoint.has_answered
    if attempt.cause == "unreachable" and not endpoint.has_answered:
        raise unreachable(attempt, endpoint)
    if attempt.cause == "status" and (attempt.status in HOPELESS or is_forbidden):
        raise ProviderError(
            f"llm.endpoints '{config.name}' at {config.base_url or 'the embedded server'} refuses model '{endpoint.model}': "
            f"{attempt.detail}; check base_url, model and api_key_env ({config.api_key_env or 'not set'})"
        )


def unreachable(attempt: Attempt, endpoint: Endpoint) -> ProviderError:
    """Return the error of a server that cannot be reached."""
    config = endpoint.config
    return ProviderError(
        f"llm.endpoints '{config.name}': no connection to {config.base_url or 'the embedded server'} ({attempt.detail}); start the "
        "server or correct base_url, then run again: answers that arrived are kept"
    )
