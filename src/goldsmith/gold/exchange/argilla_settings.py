"""The settings of an Argilla dataset in which pairs are compared, as Argilla's own `to_disk` writes them."""

from __future__ import annotations

from typing import Any

from goldsmith.gold.exchange.label_studio_config import REASONS

PROMPT, RESPONSES = "prompt", ("response_1", "response_2")
PREFERENCE, STRENGTH, CONFIDENCE, RATIONALE, DISCARD = "preference", "strength", "confidence", "rationale", "discard"
STRENGTHS = {1: "better", 2: "much-better"}
NO_REASON = "unspecified"
GUIDELINES = (
    "Which reply is better? Give both the same rank when neither is. Choose a reason under 'discard' when the pair should not be used at all; "
    "the ranking then counts for nothing."
)


def settings(reasons: tuple[str, ...] = (), votes_per_pair: int = 3) -> dict[str, Any]:
    """Return the settings.

    Args:
        reasons: of discards, besides the usual ones.
        votes_per_pair: people who answer before a record is complete.
    """
    return {
        "guidelines": GUIDELINES,
        "fields": [_field(PROMPT, "Prompt"), *(_field(name, f"Reply {number}") for number, name in enumerate(RESPONSES, 1))],
        "questions": [
            _question(PREFERENCE, "Which reply is better?", "ranking", RESPONSES, required=True),
            _question(STRENGTH, "How much better?", "label_selection", tuple(STRENGTHS.values())),
            _question(CONFIDENCE, "How sure are you?", "rating", (1, 2, 3)),
            {"name": RATIONALE, "title": "Why?", "required": False, "settings": {"type": "text", "use_markdown": False}},
            _question(DISCARD, "Should not be used, because", "label_selection", (*REASONS, NO_REASON, *reasons)),
        ],
        "vectors": [],
        "metadata": [_metadata("pair_id"), _metadata("shown_order")],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": votes_per_pair},
        "mapping": None,
    }


def dataset(name: str) -> dict[str, Any]:
    """Return the description of the dataset itself."""
    return {"name": name, "status": "draft", "guidelines": None, "allow_extra_metadata": True}


def _field(name: str, title: str) -> dict[str, Any]:
    return {"name": name, "title": title, "required": True, "settings": {"type": "text", "use_markdown": False}}


def _question(name: str, title: str, kind: str, values: tuple[Any, ...], *, required: bool = False) -> dict[str, Any]:
    options = [{"value": value} if kind == "rating" else {"value": value, "text": value, "description": None} for value in values]
    return {"name": name, "title": title, "required": required, "settings": {"type": kind, "options": options}}


def _metadata(name: str) -> dict[str, Any]:
    hidden = {"type": "terms", "visible_for_annotators": False}
    return {"name": name, "title": name, "visible_for_annotators": False, "settings": hidden}
