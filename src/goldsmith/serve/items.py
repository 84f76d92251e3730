"""What every dialect's request comes down to: items to score, and how; and what comes back for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from goldsmith.reward.calibration import Calibration
from goldsmith.serve.problem import bad_request
from goldsmith.types import Content

if TYPE_CHECKING:
    from goldsmith.reward.rewards import Reward

Activation = Literal["none", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, and the reply to them that is scored."""

    context: Sequence[Mapping[str, Any]]
    reply: Content

    @classmethod
    def of(cls, messages: Sequence[Mapping[str, Any]], where: str = "messages") -> Conversation:
        """Return messages whose last one is the reply.

        Raises:
            Refusal: they do not end in an assistant turn after another one.
        """
        if len(messages) < 2 or messages[-1].get("role") != "assistant":
            raise bad_request(
                "no-reply", f"{where}: does not end in an assistant turn after another one; the last message is what gets scored"
            )
        content = messages[-1].get("content")
        if content is None:
            raise bad_request("no-reply", f"{where}: its last message has no content")
        return cls(messages[:-1], content)

    @classmethod
    def pair(cls, prompt: str, reply: Content) -> Conversation:
        """Return one user turn and its reply."""
        return cls([{"role": "user", "content": prompt}], reply)

    @property
    def size(self) -> int:
        """Characters, about."""
        return sum(_size(turn.get("content")) for turn in self.context) + _size(self.reply)


@dataclass(frozen=True, slots=True)
class Text:
    """Text that the client rendered with the model's chat template."""

    text: str

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of a rendered conversation."""

    ids: Sequence[int]

    @property
    def size(self) -> int:
        """Characters they may stand for."""
        return 4 * len(self.ids)


Item = Conversation | Text | Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a request wants.

    Attributes:
        items: in the order of the answer.
        model: name of the model; none: the first.
        activation: applied to the logits before they are given back.
        truncate: cut what is too long; none: as the server is set.
        max_tokens: cut to this even where the model could read more.
        truncation_side: which end is cut; none: the model's.
        report_failures: an item that cannot be scored does not refuse the others.
        ignored: fields of the request that have no effect here.
    """

    items: Sequence[Item]
    model: str | None = None
    activation: Activation = "none"
    truncate: bool | None = None
    max_tokens: int | None = None
    truncation_side: Literal["left", "right"] | None = None
    report_failures: bool = False
    ignored: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was found.

    Attributes:
        request_id: of the request.
        model: name of the model that answered.
        digest: its digest.
        rewards: raw rewards, one for each item; with `Plan.report_failures` some may be failures.
        tokens: tokens of each item.
        activation: to be applied to what is given back.
        calibration: how differences become probabilities.
        created: seconds since 1970.
    """

    request_id: str
    model: str
    digest: str
    rewards: Sequence[Reward]
    tokens: Sequence[int]
    activation: Activation = "none"
    calibration: Calibration = field(default_factory=Calibration)
    created: int = 0

    @property
    def raw(self) -> list[float]:
        """The raw logits."""
        return [reward.value for reward in self.rewards if reward.value is not None]

    @property
    def values(self) -> list[float]:
        """The logits with the activation applied."""
        return [activated(value, self.activation) for value in self.raw]

    @property
    def total_tokens(self) -> int:
        """Tokens of all items."""
        return sum(self.tokens)

    def ranked(self, top: int | None = None) -> list[tuple[int, float]]:
        """Return (index, activated score), best first; equal ones keep their order. By the raw logit, as activations saturate."""
        raw, values = self.raw, self.values
        order = sorted(range(len(raw)), key=lambda index: (-raw[index], index))
        return [(index, values[index]) for index in order[: top or None]]


def activated(logit: float, activation: Activation) -> float:
    """Return a logit with an activation applied."""
    return logit if activation == "none" else sigmoid(logit)


def sigmoid(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)), in [0, 1]."""
    return 0.5 * (1.0 + math.tanh(0.5 * logit))


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    return (
        sum(len(str(part.get("text", ""))) for part in content if isinstance(part, Mapping)) if isinstance(content, list) else 0
    )
