"""What is trained on: which pairs and lists remain, why others do not, and what is known of each beyond who wins."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.identity import combined_digest
from goldsmith.pool.sources.lists import RankedList
from goldsmith.reward.correction import require_enough
from goldsmith.train.batches import Labels, select_items
from goldsmith.types import Content, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a run trains on.

    Attributes:
        pairs: with a label, in the order of the draw.
        lists: ranked lists.
        labels: weights, probabilities, margins.
        validation: decided pairs to measure on, of contexts that are not trained on.
        people: ids of pairs whose label people gave; empty where that makes no difference.
        counts: {num_pairs, num_lists, ties, left_out, dropped: {reason: number}}; with the kept they make up what was given.
    """

    pairs: list[Pair]
    lists: list[RankedList]
    labels: Labels
    validation: list[Pair]
    people: frozenset[str]
    counts: dict[str, Any]

    @property
    def digest(self) -> str:
        """A name by content: everything of the data that decides the result."""
        labels = self.labels
        rows = [
            f"{pair.pair_id} {pair.label} {labels.weight(pair.pair_id)} {labels.margin(pair)} {labels.target(pair)} {labels.evidence(pair)}"
            for pair in self.pairs
        ]
        rows += [f"{ranked.list_id} {ranked.ranks} {labels.weight(ranked.list_id)}" for ranked in self.lists]
        rows += [f"people {name}" for name in sorted(self.people)]
        return combined_digest([*sorted(rows), *sorted(f"validation {pair.pair_id} {pair.label}" for pair in self.validation)])

    def only(self, pairs: list[Pair], lists: list[RankedList], dropped: Mapping[str, int]) -> Material:
        """Return the material of some of its pairs and lists.

        Args:
            pairs: that stay.
            lists: likewise.
            dropped: how many of the others were dropped for which reason.

        Raises:
            UserError: people's labels are too few to correct with.
        """
        people = self.people & {pair.pair_id for pair in pairs}
        counts = {
            **self.counts,
            "num_pairs": len(pairs),
            "num_lists": len(lists),
            "dropped": dict(Counter(self.counts["dropped"]) + Counter(dropped)),
        }
        if "people" in counts:
            require_enough(len(people), len({pair.context_id for pair in pairs if pair.pair_id not in people}))
            counts["people"] = len(people)
        return dataclasses.replace(self, pairs=pairs, lists=lists, people=people, counts=counts)


def gather(
    pairs: Sequence[Pair],
    lists: Sequence[RankedList],
    config: TrainConfig,
    seed: int,
    *,
    weights: Mapping[str, float] | None = None,
    p_first: Mapping[str, float] | None = None,
    p_trusted: Mapping[str, float] | None = None,
    validation: Sequence[Pair] | None = None,
    people: Collection[str] | None = None,
) -> Material:
    """Return what to train on: no ties, no empty or identical replies, no weight of 0, no context of the validation pairs, at most `max_pairs`.

    Args:
        pairs: as given.
        lists: as given.
        config: `max_pairs`, `margins`, `soft_labels`, `people`.
        seed: of the draw.
        weights: weight by pair or list id.
        p_first: probability that `first` is the better reply, by pair id; read when `soft_labels` is on.
        p_trusted: what the source says that people agree with most, likewise; read when people correct the head besides.
        validation: pairs to measure on.
        people: ids of pairs whose label people gave; none: those whose label says so itself.

    Raises:
        UserError: nothing is left; a weight, probability or strength is out of range; people's labels are too few to correct with.
    """
    closed = {pair.context_id for pair in validation or ()}
    weightless = {name for name, weight in (weights or {}).items() if weight == 0}
    dropped: Counter[str] = Counter()
    ties = sum(pair.label == "tie" for pair in pairs)
    usable = [pair for pair in pairs if pair.label != "tie" and not _dropped(_reason(pair, closed, weightless), dropped)]
    usable_lists = [ranked for ranked in lists if not _dropped(_list_reason(ranked, closed, weightless), dropped)]
    chosen, chosen_lists = select_items(usable, usable_lists, config.max_pairs, seed)
    if not chosen and not chosen_lists:
        raise UserError(
            f"nothing to train on: {len(pairs)} pairs, {ties} of them ties, {len(lists)} lists, dropped {dict(dropped)}; "
            f"{'give validation pairs of other prompts' if dropped['validation-context'] else 'give pairs with a preferred reply'}"
        )
    left_out = len(usable) - len(chosen) + len(usable_lists) - len(chosen_lists)
    counts = {
        "num_pairs": len(chosen),
        "num_lists": len(chosen_lists),
        "ties": ties,
        "left_out": left_out,
        "dropped": dict(dropped),
    }
    assert len(pairs) + len(lists) == len(chosen) + len(chosen_lists) + ties + left_out + sum(dropped.values())
    labels = Labels(
        weights=weights or {},
        p_first=(p_first or {}) if config.soft_labels else {},
        p_trusted=(p_trusted or {}) if config.soft_labels and config.people == "correct" else {},
        margin_scale=config.margin_scale if config.margins == "strength" else 0.0,
    )
    _check(chosen, chosen_lists, labels)
    if config.soft_labels:
        counts["without_probability"] = sum(pair.pair_id not in labels.p_first for pair in chosen)
    if labels.margin_scale:
        counts["without_strength"] = sum(pair.strength is None for pair in chosen)
    if validation:
        counts["validation_ties"] = sum(pair.label == "tie" for pair in validation)
    decided = [pair for pair in validation or () if pair.label != "tie"]
    told = _of_people(chosen, people) if config.people == "correct" else frozenset()
    if config.people == "correct":
        require_enough(len(told), len({pair.context_id for pair in chosen if pair.pair_id not in told}))
        counts["people"] = len(told)
    return Material(pairs=chosen, lists=chosen_lists, labels=labels, validation=decided, people=told, counts=counts)


def _of_people(pairs: Sequence[Pair], people: Collection[str] | None) -> frozenset[str]:
    if people is None:
        return frozenset(pair.pair_id for pair in pairs if pair.label_origin == "human")
    return frozenset(people) & {pair.pair_id for pair in pairs}


def p_first_of(pairs: Sequence[Pair], columns: Sequence[str]) -> dict[str, float]:
    """Return the probability that `first` wins of pairs that came with one, which speaks of the reply labelled as chosen.

    A pair that stands in several rows gets the mean of what they say, under which its rows together have the loss of each row's own;
    a row without a probability is certain of its label.

    Args:
        pairs: with their further columns as `meta`.
        columns: where it stands, the preferred one first.

    Raises:
        UserError: one is no number between 0 and 1.
    """
    said: dict[str, list[float]] = {}
    has_one: set[str] = set()
    for pair in pairs:
        if pair.label == "tie":
            continue
        told = _p_chosen(pair, columns)
        if told is not None:
            has_one.add(pair.pair_id)
        p_chosen = 1.0 if told is None else told
        said.setdefault(pair.pair_id, []).append(p_chosen if pair.label == "first" else 1.0 - p_chosen)
    return {name: sum(values) / len(values) for name, values in said.items() if name in has_one}


def _p_chosen(pair: Pair, columns: Sequence[str]) -> float | None:
    for name in columns:
        told = pair.meta.get(name)
        if told is None:
            continue
        if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0.0 <= told <= 1.0:
            raise UserError(f"{named(pair)}: {name} is {told!r}; expected a number between 0 and 1")
        return float(told)
    return None


def _dropped(reason: str, dropped: Counter[str]) -> bool:
    if reason:
        dropped[reason] += 1
    return bool(reason)


def _reason(pair: Pair, closed: Collection[str], weightless: Collection[str]) -> str:
    if _is_empty(pair.first) or _is_empty(pair.second):
        return "empty-reply"
    if pair.first == pair.second:
        return "identical-replies"
    if pair.pair_id in weightless:
        return "weight-zero"
    return "validation-context" if pair.context_id in closed else ""


def _list_reason(ranked: RankedList, closed: Collection[str], weightless: Collection[str]) -> str:
    if ranked.list_id in weightless:
        return "weight-zero"
    return "validation-context" if ranked.context_id in closed else ""


def _is_empty(content: Content) -> bool:
    return not (content.strip() if isinstance(content, str) else content)


def _check(pairs: Sequence[Pair], lists: Sequence[RankedList], labels: Labels) -> None:
    for name in [*(pair.pair_id for pair in pairs), *(ranked.list_id for ranked in lists)]:
        weight = labels.weight(name)
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError(f"pair {name}: weight {weight} is not finite, or negative; weights are numbers from 0 up")
    for pair in pairs:
        for told in (labels.target(pair), labels.evidence(pair)):
            if not 0.0 <= told <= 1.0:
                raise UserError(f"{named(pair)}: the probability that the chosen reply wins is {told}; it lies in 0 to 1")
        if not (math.isfinite(labels.margin(pair)) and labels.margin(pair) >= 0):
            raise UserError(
                f"{named(pair)}: strength {pair.strength} cannot be a margin; strengths are numbers from 0 up, or set train.margins=none"
            )


def named(pair: Pair) -> str:
    """Return a pair's name in messages: its id, after file and line where they are known."""
    return f"{pair.source_ref}: pair {pair.pair_id}" if pair.source_ref else f"pair {pair.pair_id}"
