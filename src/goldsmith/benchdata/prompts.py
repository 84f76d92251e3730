"""First-turn prompts of evaluation sets: what no pair of the pool may share text with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BenchmarkPrompt:
    """The first user turn of one record of an evaluation set."""

    text: str
    set_name: str


def text_of_content(content: Any) -> str:
    """Return a content's text: itself, or its text parts joined by line ends; anything else is empty."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict) and part.get("type") == "text")
    return ""


def first_turn(context: Iterable[dict[str, Any]]) -> str:
    """Return the text of the first user turn of a context; empty when there is none."""
    return next((text_of_content(message["content"]) for message in context if message["role"] == "user"), "")


def distinct_prompts(contexts: Iterable[tuple[str, Iterable[dict[str, Any]]]]) -> Iterator[BenchmarkPrompt]:
    """Yield each distinct first-turn prompt of (set name, context), in order of appearance."""
    seen: set[tuple[str, str]] = set()
    for set_name, context in contexts:
        text = first_turn(context)
        if text.strip() and (set_name, text) not in seen:
            seen.add((set_name, text))
            yield BenchmarkPrompt(text=text, set_name=set_name)
