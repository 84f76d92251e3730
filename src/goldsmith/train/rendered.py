"""What a model's chat template cannot render, a system turn that it refuses for instance, is left out of training and counted."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

from goldsmith.errors import DataError, UserError
from goldsmith.reward.grouping import Reply
from goldsmith.reward.render import Renderer
from goldsmith.train.material import Material, named
from goldsmith.types import Pair

LOG = logging.getLogger("goldsmith")
REASON = "cannot-be-rendered"


def without_unrendered(material: Material, renderer: Renderer) -> Material:
    """Return the material without pairs and lists that the template refuses; the same object where there are none.

    Raises:
        UserError: nothing is left, or too few labels of people to correct with.
    """
    pairs = [(pair, _refusal(_replies(pair), renderer)) for pair in material.pairs]
    lists = [
        (ranked, _refusal([Reply(ranked.context, content, ranked.list_id) for content in ranked.replies], renderer))
        for ranked in material.lists
    ]
    refusals = [refusal for _, refusal in [*pairs, *lists] if refusal]
    if not refusals:
        return material
    if len(refusals) == len(pairs) + len(lists):
        raise UserError(f"none of the {len(refusals)} pairs and lists can be rendered; the first: {refusals[0]}")
    _tell(refusals, "pairs and lists")
    kept, kept_lists = [pair for pair, refusal in pairs if not refusal], [ranked for ranked, refusal in lists if not refusal]
    return material.only(kept, kept_lists, {REASON: len(refusals)})


def with_rendered_validation(material: Material, renderer: Renderer) -> Material:
    """Return the material without validation pairs that the template refuses, before hours of training end in one.

    Raises:
        UserError: none is left.
    """
    pairs = [(pair, _refusal(_replies(pair), renderer)) for pair in material.validation]
    refusals = [refusal for _, refusal in pairs if refusal]
    if not refusals:
        return material
    if len(refusals) == len(pairs):
        raise UserError(f"none of the {len(pairs)} validation pairs can be rendered; the first: {refusals[0]}")
    _tell(refusals, "validation pairs")
    return dataclasses.replace(
        material,
        validation=[pair for pair, refusal in pairs if not refusal],
        counts={**material.counts, "validation_dropped": {REASON: len(refusals)}},
    )


def _replies(pair: Pair) -> list[Reply]:
    return [Reply(pair.messages, content, named(pair)) for content in (pair.first, pair.second)]


def _refusal(replies: Sequence[Reply], renderer: Renderer) -> str:
    """Return why one of them cannot be rendered, empty when all can."""
    try:
        for reply in replies:
            renderer.render(reply.context, reply.content, where=reply.name)
    except DataError as error:
        return str(error)
    return ""


def _tell(refusals: Sequence[str], what: str) -> None:
    LOG.warning("%d %s cannot be rendered and are left out; the first: %s", len(refusals), what, refusals[0])
