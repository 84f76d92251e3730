"""Does a running server, ours or another, give the scores that the model has? Checked against its golden scores, one by one and together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from goldsmith.client.attempts import verification
from goldsmith.errors import ProviderError, UserError
from goldsmith.reward.golden import GoldenScore, read_golden
from goldsmith.reward.manifest import read_manifest
from goldsmith.serve.items import sigmoid
from goldsmith.wire import cohere, goldsmith, llamafactory, openrlhf, sglang, tei, vllm

TOLERANCE = 1e-3
"""How far a score may be from its golden one, times max(1, |score|)."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How one dialect is asked, and where its reply holds the scores.

    Attributes:
        path: of the request.
        body: from golden rows and the model's name to a request.
        reply: type of the answer.
        scores: from an answer to scores in the order of the rows.
        one_prompt: a request holds one prompt and its replies, so conversations of more turns cannot be asked for.
    """

    path: str
    body: Callable[[Sequence[GoldenScore], str | None], dict[str, Any]]
    reply: Any
    scores: Callable[[Any], list[float]]
    one_prompt: bool = False


def _sent(kind: type[BaseModel], model: str | None, **fields: Any) -> dict[str, Any]:
    """Return the body of a request with these fields and, where the dialect names one, the model."""
    named = {"model": model} if model is not None and "model" in kind.model_fields else {}
    return kind.model_validate({**fields, **named}).model_dump(exclude_unset=True)


def _ids(rows: Sequence[GoldenScore]) -> list[list[int]]:
    return [row.ids for row in rows]


def _texts(rows: Sequence[GoldenScore]) -> list[str]:
    return [row.text for row in rows]


def _is_one_prompt(row: GoldenScore) -> bool:
    """A user's text and the reply to it, and nothing else."""
    return [turn.get("role") for turn in row.messages] == ["user", "assistant"] and all(
        isinstance(turn.get("content"), str) for turn in row.messages
    )


WAYS: dict[str, _Way] = {
    "goldsmith": _Way(
        "/goldsmith/v1/score",
        lambda rows, model: _sent(goldsmith.ScoreRequest, model, conversations=[row.messages for row in rows]),
        goldsmith.ScoreReply,
        lambda reply: [found.score for found in reply.results],
    ),
    "vllm": _Way(
        vllm.CLASSIFY,
        lambda rows, model: _sent(vllm.ClassifyRequest, model, input=_ids(rows), use_activation=False),
        vllm.ClassifyReply,
        lambda reply: [found.probs[0] for found in sorted(reply.data, key=lambda found: found.index)],
    ),
    "sglang": _Way(
        sglang.CLASSIFY,
        lambda rows, model: _sent(sglang.ClassifyRequest, model, input_ids=_ids(rows)),
        list[sglang.Classified],
        lambda reply: [found.embedding[0] for found in reply],
    ),
    "tei": _Way(
        tei.PREDICT,
        lambda rows, model: _sent(
            tei.PredictRequest, model, inputs=[[text] for text in _texts(rows)], raw_scores=True, truncate=False
        ),
        list[list[tei.Prediction]],
        lambda reply: [found[0].score for found in reply],
    ),
    "cohere": _Way(
        cohere.RERANK,
        lambda rows, model: _sent(
            cohere.RerankRequest,
            model,
            query=rows[0].messages[0]["content"],
            documents=[row.messages[-1]["content"] for row in rows],
        ),
        cohere.RerankReply,
        lambda reply: [found.relevance_score for found in sorted(reply.results, key=lambda found: found.index)],
        one_prompt=True,
    ),
    "openrlhf": _Way(
        openrlhf.REWARD,
        lambda rows, model: _sent(
            openrlhf.RewardRequest, model, query=_texts(rows), prompts=[""] * len(rows), labels=[""] * len(rows)
        ),
        openrlhf.RewardReply,
        lambda reply: list(reply.rewards),
    ),
    "verl": _Way(
        vllm.CLASSIFY,
        # verl sends the older name of the field.
        lambda rows, model: {**_sent(vllm.ClassifyRequest, model, input=_ids(rows)), "activation": False},
        vllm.ClassifyReply,
        lambda reply: [found.probs[-1] for found in sorted(reply.data, key=lambda found: found.index)],
    ),
    "llamafactory": _Way(
        llamafactory.EVALUATION,
        lambda rows, model: _sent(llamafactory.EvaluationRequest, model or "", messages=_texts(rows)),
        llamafactory.EvaluationReply,
        lambda reply: list(reply.scores),
    ),
}


class Difference(BaseModel):
    """One golden row whose score a server does not give."""

    row: int
    golden: float
    alone: float
    together: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of a check.

    Attributes:
        rows: golden scores compared.
        left_out: golden scores that this dialect cannot ask for: it sends a prompt and its replies, and they have more turns.
        largest, mean: difference from the golden score, alone or together, whichever is larger for each row.
        batch: largest difference of a score alone from the same score among others.
        differing: rows beyond the tolerance.
        diagnosis: what the scores look like, when some differ.
        headers: what the server said of itself.
    """

    url: str
    dialect: str
    rows: int
    largest: float
    mean: float
    batch: float
    tolerance: float
    differing: list[Difference]
    left_out: int = 0
    diagnosis: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """The server gives the golden scores."""
        return not self.differing


def verify_server(
    url: str,
    golden: Path,
    *,
    dialect: str = "goldsmith",
    model: str | None = None,
    api_key: str | None = None,
    tolerance: float | None = None,
    timeout_s: float = 120.0,
    transport: httpx2.BaseTransport | None = None,
) -> Verification:
    """Ask a running server for every golden score, each conversation alone and then all together.

    Args:
        url: the server's address.
        golden: a `golden_scores.jsonl`, or the model's folder.
        dialect: one of `WAYS`.
        model: name under which the server has the model; none: sent in no request.
        api_key: sent as `Authorization: Bearer`.
        tolerance: how far a score may be from its golden one, times max(1, |score|); none: 1e-3, or the largest difference in the parity
            report where `golden` is the folder of an export.
        timeout_s: of each request.
        transport: of httpx2, for tests.

    Raises:
        UserError: no such dialect, or no golden scores that it can ask for.
        ProviderError: the server does not answer, or not in the dialect's shape; or GOLDSMITH_CA_FILE names no certificates.
    """
    if dialect not in WAYS:
        raise UserError(f"dialect {dialect!r}: there is {', '.join(WAYS)}")
    every, way = read_golden(golden), WAYS[dialect]
    places = [place for place, row in enumerate(every) if not way.one_prompt or _is_one_prompt(row)]
    if not places:
        raise UserError(
            f"{golden}: {dialect} sends one prompt and its replies, and every golden conversation has more turns; ask in another"
        )
    rows = [every[place] for place in places]
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    options: dict[str, Any] = {"headers": headers, "timeout": timeout_s, "transport": transport, "verify": verification(url)}
    with httpx2.Client(**options, trust_env=False) as http:
        alone = [_ask(http, url, way, [row], model)[0][0] for row in rows]
        together, told = _together(http, url, way, rows, model)
    wide = _exported_tolerance(golden) if tolerance is None else tolerance
    facts = {"url": url, "dialect": dialect, "headers": told, "left_out": len(every) - len(rows)}
    return _judged(rows, places, alone, together, wide, **facts)


def _together(
    http: httpx2.Client, url: str, way: _Way, rows: Sequence[GoldenScore], model: str | None
) -> tuple[list[float], dict[str, str]]:
    """Return the scores of all rows in one request, or in one for each prompt where a request holds no more."""
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(row.messages[0]["content"] if way.one_prompt else "", []).append(place)
    found, told = [0.0] * len(rows), dict[str, str]()
    for group in groups.values():
        scores, told = _ask(http, url, way, [rows[place] for place in group], model)
        for place, score in zip(group, scores, strict=True):
            found[place] = score
    return found, told


def _exported_tolerance(golden: Path) -> float:
    manifest = read_manifest(golden) if golden.is_dir() else None
    return TOLERANCE if manifest is None else TOLERANCE + manifest.largest


def _ask(
    http: httpx2.Client, url: str, way: _Way, rows: Sequence[GoldenScore], model: str | None
) -> tuple[list[float], dict[str, str]]:
    address = url.rstrip("/") + way.path
    try:
        response = http.post(address, json=way.body(rows, model))
    except httpx2.HTTPError as error:
        raise ProviderError(f"{address}: no answer ({type(error).__name__} {error}); is the server running?") from None
    if response.status_code != 200:
        raise ProviderError(f"{address}: HTTP {response.status_code}: {response.text[:300]}")
    try:
        scores = way.scores(TypeAdapter(way.reply).validate_json(_as_list(response.content, way)))
    except (ValidationError, IndexError) as error:
        raise ProviderError(f"{address}: the reply has not this dialect's shape ({str(error).splitlines()[0]})") from None
    if len(scores) != len(rows) or not all(isinstance(score, float) and math.isfinite(score) for score in scores):
        raise ProviderError(
            f"{address}: {len(rows)} conversations were sent, and {len(scores)} scores came back, or some are no numbers"
        )
    return scores, {name: value for name, value in response.headers.items() if name.startswith("x-goldsmith-")}


def _as_list(content: bytes, way: _Way) -> bytes:
    """A server may answer a list of one with the element alone."""
    return b"[" + content + b"]" if way.reply == list[sglang.Classified] and not content.lstrip().startswith(b"[") else content


def _judged(
    rows: Sequence[GoldenScore],
    places: Sequence[int],
    alone: Sequence[float],
    together: Sequence[float],
    tolerance: float,
    **facts: Any,
) -> Verification:
    differing, distances = [], []
    for place, row, one, other in zip(places, rows, alone, together, strict=True):
        distances.append(max(abs(one - row.score), abs(other - row.score)))
        if not distances[-1] <= tolerance * max(1.0, abs(row.score)):
            differing.append(Difference(row=place + 1, golden=row.score, alone=one, together=other))
    return Verification(
        rows=len(rows),
        largest=max(distances),
        mean=sum(distances) / len(distances),
        batch=max(abs(one - other) for one, other in zip(alone, together, strict=True)),
        tolerance=tolerance,
        differing=differing,
        diagnosis=_diagnosis([row.score for row in rows], alone, together, tolerance) if differing else "",
        **facts,
    )


def _diagnosis(golden: Sequence[float], alone: Sequence[float], together: Sequence[float], tolerance: float) -> str:
    """Say what the differing scores look like; the known ways to get them wrong."""

    def near(one: Sequence[float], other: Sequence[float]) -> bool:
        return all(abs(left - right) <= tolerance * max(1.0, abs(right)) for left, right in zip(one, other, strict=True))

    if max(alone) - min(alone) <= 1e-6 and len(golden) > 1:
        return (
            "every score is 1: a softmax over the one label was applied; ask for raw logits"
            if near(alone, [1.0] * len(alone))
            else "every score is the same: the head was lost, or the reward is read at a constant place"
        )
    if near(alone, [sigmoid(score) for score in golden]):
        return "the scores are the sigmoid of the golden ones: an activation was applied; ask for raw logits"
    if near(alone, golden):
        return "alone the scores are right, together they are not: padding or neighbours change them"
    if near(together, golden):
        return "together the scores are right, alone they are not"
    if near([-score for score in alone], golden):
        return "the scores have the opposite sign"
    shift = [one - score for one, score in zip(alone, golden, strict=True)]
    if max(shift) - min(shift) <= tolerance * max(1.0, max(map(abs, golden))):
        return f"the scores are all shifted by {shift[0]:.4f}: a bias of the head was lost or added"
    correlation = _correlation(alone, golden)
    if correlation > 0.98:
        return f"the scores go with the golden ones (correlation {correlation:.3f}): reduced precision or quantisation"
    return (
        f"the scores have a correlation of {correlation:.3f} with the golden ones: other weights, another template, a second BOS, or the "
        "reward read at another token"
    )


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    product = sum((left - mean_one) * (right - mean_other) for left, right in zip(one, other, strict=True))
    norms = math.sqrt(sum((left - mean_one) ** 2 for left in one) * sum((right - mean_other) ** 2 for right in other))
    return product / norms if norms else 0.0
