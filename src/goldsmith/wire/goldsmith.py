"""Goldsmith's own API: score conversations, rank the replies to one context, compare a pair."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, FiniteFloat

from goldsmith.wire.base import Body, Probability, Reply, Score, Turn

Content = str | list[dict[str, Any]]
OnFailure = Literal["refuse", "report"]
Activation = Literal["none", "sigmoid"]


class _Options(Body):
    model: str | None = Field(default=None, description="Name of a served model; none: the first.")
    truncate: bool = Field(
        default=False, description="Cut a conversation that is longer than the model's maximum instead of refusing it."
    )


class ScoreRequest(_Options):
    """Conversations, each of which ends in the reply to score."""

    conversations: list[list[Turn]] = Field(
        min_length=1,
        examples=[[[{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]]],
    )
    on_failure: OnFailure = Field(
        default="refuse",
        description="`refuse`: one conversation that cannot be scored refuses all; `report`: it has a failure where others have a score.",
    )
    activation: Activation = Field(default="none", description="`none`: raw logits; `sigmoid`: 1 / (1 + exp(-logit)).")


class Scored(Reply):
    """One conversation's reward, or why it has none: exactly one of `score` and `failure` is set."""

    score: Score | None
    failure: str | None = None
    std: FiniteFloat | None = Field(
        default=None, description="Standard deviation over the model's bootstrap heads, when it has them."
    )
    truncated_tokens: int = 0


class ScoreReply(Reply):
    """Rewards in the order of the conversations."""

    model: str
    model_digest: str
    activation: Activation
    results: list[Scored]


class RankRequest(_Options):
    """Replies to one context."""

    context: list[Turn] = Field(min_length=1, examples=[[{"role": "user", "content": "What is 2 + 2?"}]])
    replies: list[Content] = Field(min_length=1, examples=[["4", "5"]])


class Ranked(Reply):
    """One reply's place; `index` is its place in the request, `p_best` its probability to be the best of all."""

    index: int
    score: Score
    p_best: Probability
    std: FiniteFloat | None = None
    truncated_tokens: int = 0


class RankReply(Reply):
    """Replies, best first; equal scores keep the order of the request."""

    model: str
    model_digest: str
    calibrated: bool = Field(description="Probabilities use a temperature fitted on judged pairs.")
    ranking: list[Ranked]


class CompareRequest(_Options):
    """Two replies to one context."""

    context: list[Turn] = Field(min_length=1, examples=[[{"role": "user", "content": "What is 2 + 2?"}]])
    first: Content = Field(examples=["4"])
    second: Content = Field(examples=["5"])


class CompareReply(Reply):
    """Rewards of both replies, and the probability that the first is the better one."""

    model: str
    model_digest: str
    first: Score
    second: Score
    margin: Score = Field(description="first - second")
    p_first: Probability
    calibrated: bool
    std_margin: FiniteFloat | None = None


class ModelFacts(Reply):
    """One served model."""

    name: str
    digest: str
    max_length: int
    dtype: str
    engine: str
    replicas: int
    ready: bool
    calibrated: bool
    heads: int
    template_inserts: str


class ModelList(Reply):
    """The served models."""

    models: list[ModelFacts]


class ReloadRequest(Body):
    """A new version of a served model."""

    model: str | None = Field(default=None, description="Name of the served model; none: the first.")
    path: str | None = Field(
        default=None, description="Folder of the new version, within `--allow-models`; none: the same folder again."
    )


class ReloadReply(Reply):
    """What is served from now on."""

    model: str
    digest_before: str
    digest: str


class Problem(Reply):
    """What went wrong."""

    code: str
    message: str
    retryable: bool
    details: list[str] = Field(default_factory=list)


class ProblemReply(Reply):
    """The one shape of every error of the own API."""

    error: Problem


class OpenAIModel(Reply):
    """A model as OpenAI's clients list it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "goldsmith"


class OpenAIModels(Reply):
    """The served models as OpenAI's clients list them."""

    object: Literal["list"] = "list"
    data: list[OpenAIModel]
