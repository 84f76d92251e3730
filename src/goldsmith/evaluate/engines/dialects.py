"""What servers of reward models understand: the request of each dialect, and where the raw scores stand in its reply.

Every request asks for the raw logit. Shapes: n texts of one request, n scores of its reply, in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from goldsmith.errors import ProviderError

Asks = Literal["text", "chat", "pair", "rank"]
"""What a request holds: rendered conversations; one conversation as messages; prompts and replies; or one prompt and its replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One text of a request: the conversation as messages, or rendered, as the dialect wants it."""

    messages: Sequence[dict[str, Any]]
    rendered: str = ""

    @property
    def reply(self) -> str:
        """The last message's text."""
        return str(self.messages[-1]["content"])

    @property
    def prompt(self) -> str:
        """The only user turn's text; dialects of prompt and reply have room for no other."""
        return str(self.messages[0]["content"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way of asking.

    Attributes:
        name: as in `vllm-classify`.
        path: of the address, below the one that the user gives.
        asks: see `Asks`.
        request: from the served model's name and the texts to the body.
        scores: from the reply and the number of texts to the scores.
        adds_bos: the server puts the tokenizer's BOS before every rendered text, so the text must not bring its own.
    """

    name: str
    path: str
    asks: Asks
    request: Callable[[str | None, Sequence[Query]], dict[str, Any]]
    scores: Callable[[Any, int], list[float]]
    adds_bos: bool = False


def parsed(dialect: Dialect, reply: Any, num: int) -> list[float | None]:
    """Return the scores of a reply in the order of its texts, None for one that is not finite.

    Raises:
        ProviderError: the reply has another form, or another number of scores.
    """
    try:
        found = [float(score) for score in dialect.scores(reply, num)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ProviderError(
            f"the reply is none of {dialect.name} ({type(error).__name__}: {error}): {str(reply)[:200]}; is the dialect right, and does the "
            "server hold a model with one score?"
        ) from None
    if len(found) != num:
        raise ProviderError(f"{len(found)} scores came for {num} texts in {dialect.name}; nothing was guessed, check the server")
    return [score if math.isfinite(score) else None for score in found]


def _texts(queries: Sequence[Query]) -> list[str]:
    return [query.rendered for query in queries]


def _named(model: str | None, body: dict[str, Any]) -> dict[str, Any]:
    return body if model is None else {"model": model, **body}


def _by_index(rows: Any, num: int, value: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """Return values of rows that tell their own place; a place that is missing or told twice is an error."""
    if len(rows) != num or sorted(int(row["index"]) for row in rows) != list(range(num)):
        raise ValueError(f"places {[row.get('index') for row in rows]} for {num} texts")
    found: list[Any] = [None] * num
    for row in rows:
        found[int(row["index"])] = value(row)
    return found


def _single(values: Any) -> Any:
    """The one number of a classifier with one label, however deep it stands."""
    while isinstance(values, list):
        if len(values) != 1:
            raise ValueError(f"{len(values)} labels, and a reward model has one")
        values = values[0]
    return values


def _last(values: Any) -> Any:
    """The last number of a vector, as RL frameworks read it."""
    return values[-1] if isinstance(values, list) else values


def _embedding(item: dict[str, Any]) -> Any:
    return _single(item["embedding"]) if len(item["embedding"]) == 1 else _last(item["embedding"])


def _listed(reply: Any) -> list[Any]:
    return reply if isinstance(reply, list) else [reply]


def _rank_body(model: str | None, queries: Sequence[Query], **more: Any) -> dict[str, Any]:
    return _named(model, {"query": queries[0].prompt, "documents": [query.reply for query in queries], **more})


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            name="vllm-classify", path="/classify", asks="text",
            request=lambda model, queries: _named(model, {"input": _texts(queries), "use_activation": False, "activation": False, "add_special_tokens": False}),
            scores=lambda reply, num: _by_index(reply["data"], num, lambda row: _single(row["probs"])),
        ),
        Dialect(
            name="vllm-chat", path="/classify", asks="chat",
            request=lambda model, queries: _named(model, {"messages": list(queries[0].messages), "use_activation": False, "add_generation_prompt": False}),
            scores=lambda reply, num: _by_index(reply["data"], num, lambda row: _single(row["probs"])),
        ),
        Dialect(
            name="vllm-pooling", path="/pooling", asks="text",
            request=lambda model, queries: _named(model, {"input": _texts(queries), "task": "classify", "use_activation": False, "add_special_tokens": False}),
            scores=lambda reply, num: _by_index(reply["data"], num, lambda row: _single(row["data"])),
        ),
        Dialect(
            name="vllm-score", path="/score", asks="pair",
            request=lambda model, queries: _named(
                model, {"text_1": [query.prompt for query in queries], "text_2": [query.reply for query in queries], "use_activation": False}
            ),
            scores=lambda reply, num: _by_index(reply["data"], num, lambda row: row["score"]),
        ),
        Dialect(
            name="vllm-rerank", path="/rerank", asks="rank",
            request=lambda model, queries: _rank_body(model, queries, top_n=0, use_activation=False),
            scores=lambda reply, num: _by_index(reply["results"], num, lambda row: row["relevance_score"]),
        ),
        Dialect(
            name="cohere-rerank", path="/v2/rerank", asks="rank",
            request=lambda model, queries: _rank_body(model, queries, top_n=len(queries)),
            scores=lambda reply, num: _by_index(reply["results"], num, lambda row: row["relevance_score"]),
        ),
        Dialect(
            name="sglang-classify", path="/classify", asks="text", adds_bos=True,
            request=lambda model, queries: _named(model, {"text": _texts(queries)}),
            scores=lambda reply, _num: [_embedding(item) for item in _listed(reply)],
        ),
        Dialect(
            name="sglang-embeddings", path="/v1/embeddings", asks="text", adds_bos=True,
            request=lambda model, queries: _named(model, {"input": _texts(queries)}),
            scores=lambda reply, num: _by_index(reply["data"], num, _embedding),
        ),
        Dialect(
            name="sglang-rerank", path="/v1/rerank", asks="rank",
            request=lambda model, queries: _rank_body(model, queries),
            scores=lambda reply, num: _by_index(reply, num, lambda row: row["score"]),
        ),
        Dialect(
            name="tei-predict", path="/predict", asks="text", adds_bos=True,
            request=lambda _model, queries: {"inputs": [[text] for text in _texts(queries)], "raw_scores": True, "truncate": False},
            scores=lambda reply, _num: [_single(item)["score"] for item in reply],
        ),
        Dialect(
            name="tei-rerank", path="/rerank", asks="rank",
            request=lambda _model, queries: {"query": queries[0].prompt, "texts": [query.reply for query in queries], "raw_scores": True, "truncate": False},
            scores=lambda reply, num: _by_index(reply, num, lambda row: row["score"]),
        ),
        Dialect(
            name="infinity-classify", path="/classify", asks="text", adds_bos=True,
            request=lambda model, queries: _named(model, {"input": _texts(queries), "raw_scores": True}),
            scores=lambda reply, _num: [_single(item)["score"] for item in reply["data"]],
        ),
        Dialect(
            name="infinity-rerank", path="/rerank", asks="rank",
            request=lambda model, queries: _rank_body(model, queries, raw_scores=True),
            scores=lambda reply, num: _by_index(reply["results"], num, lambda row: row["relevance_score"]),
        ),
        Dialect(
            name="llamafactory", path="/v1/score/evaluation", asks="text",
            request=lambda model, queries: _named(model, {"messages": _texts(queries)}),
            scores=lambda reply, _num: list(reply["scores"]),
        ),
        Dialect(
            name="openrlhf", path="/get_reward", asks="text",
            request=lambda _model, queries: {"query": _texts(queries), "prompts": [query.prompt for query in queries], "labels": [None for _ in queries]},
            scores=lambda reply, _num: [_single(value) for value in reply["rewards"]],
        ),
    )
}  # fmt: skip
"""By name."""
