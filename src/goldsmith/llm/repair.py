"""Replies that must have a form: read strictly, and asked for again a bounded number of times with what was wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from goldsmith.errors import ParseError
from goldsmith.llm.fence import neutralise
from goldsmith.llm.group import LlmGroup, Progress
from goldsmith.llm.prompt import load_prompt
from goldsmith.llm.request import Completion, Failure, Request
from goldsmith.llm.shorten import shorten

ATTEMPTS = 2
"""The first reply, and one repair."""
QUOTED_TOKENS = 100
"""Of a reply that is sent back to be mended."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[T]):
    """What came of one request.

    Attributes:
        value: what the reply says; None when no attempt had the agreed form.
        failure: the client's kind; else the `ParseError`'s of the last reply, or `truncated` or `invalid`; None with a value.
        attempts: times it was asked; each answer was paid for and is in the ledger.
        usage: tokens of all attempts, as the server counted them.
    """

    value: T | None
    failure: str | None
    attempts: int
    usage: dict[str, int]

    @property
    def is_repaired(self) -> bool:
        """It has a value, and not at the first attempt."""
        return self.value is not None and self.attempts > 1


def read_many(
    llm: LlmGroup,
    requests: Sequence[Request],
    read: Callable[[Completion], T],
    *,
    attempts: int = ATTEMPTS,
    progress: Progress | None = None,
) -> list[Read[T]]:
    """Return what the replies to requests say, in order.

    Args:
        llm: the group.
        requests: what to ask.
        read: returns a reply's value, or raises `ParseError`; its message goes back to the model.
        attempts: replies to one request at most, >= 1.
        progress: called with (calls answered, calls), anew for each round of repairs.

    Raises:
        ProviderError: see `LlmGroup.complete_many`.
    """
    asked = list(requests)
    found: list[Read[T]] = [Read(value=None, failure=None, attempts=0, usage={}) for _ in requests]
    waiting = list(range(len(asked)))
    for _ in range(attempts):
        outcomes = llm.complete_many([asked[at] for at in waiting], progress)
        again = []
        for at, outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, Failure):
                # The client has retried what can be retried.
                found[at] = replace(found[at], failure=outcome.kind, attempts=found[at].attempts + 1)
                continue
            usage = {name: count + found[at].usage.get(name, 0) for name, count in outcome.usage.items()}
            tried = replace(found[at], attempts=found[at].attempts + 1, usage=usage)
            try:
                found[at] = replace(tried, value=read(outcome), failure=None)
            except ParseError as error:
                kind = error.kind or ("truncated" if outcome.finish_reason == "length" else "invalid")
                found[at] = replace(tried, failure=kind)
                asked[at] = repair_of(asked[at], outcome.text, str(error))
                again.append(at)
        waiting = again
    return found


def repair_of(request: Request, reply: str, problem: str) -> Request:
    """Return the question again, with the reply and what was wrong with it."""
    role, text = load_prompt("repair").fill({"problem": shorten(neutralise(problem), QUOTED_TOKENS)})[-1]
    quoted = shorten(neutralise(reply), QUOTED_TOKENS) or "(nothing)"
    return replace(request, messages=(*request.messages, ("assistant", quoted), (role, text)))
