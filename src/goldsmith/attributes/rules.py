"""Word rules that move objectivity and controversiality away from a task's usual values."""

from __future__ import annotations

import re
from collections.abc import Callable

OPINION = re.compile(
    r"\b(do you (think|believe|prefer|like)|what do you think|in your (opinion|view)|your (opinion|thoughts|favou?rite)|"
    r"should (we|i|people|the government|society)|is it (ok|okay|wrong|right|worth|moral|ethical)|which is better|"
    r"who is the (best|greatest)|what is the best|recommend)\b",
    re.IGNORECASE,
)
"""Asks for a judgement on which reasonable people differ."""

CREATIVE = re.compile(
    r"\b((write|compose|create|draft|generate|come up with|invent|make up|continue|brainstorm|design)\b.{0,40}"
    r"\b(story|poem|essay|song|lyrics|haiku|letter|e-?mail|blog|article|speech|script|dialogue|ideas?|slogan|tweet|caption|joke|names?|titles?|recipe))\b",
    re.IGNORECASE | re.DOTALL,
)
"""Asks for a text of which many good ones exist."""

CLOSED = re.compile(
    r"^\s*(who|when|where|how (many|much|old|tall|far|long|big)|what (year|is the (capital|name|sum|product|value|population|formula))|"
    r"solve|compute|calculate|evaluate|prove|translate|convert)\b",
    re.IGNORECASE,
)
"""Asks for one thing that can be looked up or worked out."""

CONTESTED = re.compile(
    r"\b(abortion|pro-(life|choice)|gun (control|rights|laws?)|guns|death penalty|capital punishment|euthanasia|immigra\w+|refugees?|racis\w+|"
    r"white supremac\w+|reparations|affirmative action|transgender|lgbtq?\w*|gay marriage|same-sex|feminis\w+|gender (roles|identity)|"
    r"religio\w+|islam\w*|muslims?|christian\w*|jew(s|ish)?|atheis\w+|god exist\w*|existence of god|democrats?|republicans?|conservatives?|liberals?|"
    r"socialis\w+|communis\w+|capitalism|trump|biden|putin|election fraud|brexit|israel\w*|palestin\w*|gaza|ukraine|taiwan|"
    r"vaccin\w+ mandate|anti-?vax\w*|conspiracy|climate (change )?(denial|hoax)|genocide|terroris\w+|drug legali[sz]ation|prostitution|suicide|torture)\b",
    re.IGNORECASE,
)
"""Subjects on which answers diverge sharply whatever the task."""

SENSITIVE = re.compile(
    r"\b(politic\w*|government|war|police|tax(es)?|vegan\w*|nuclear|animal testing|censorship|privacy|surveillance|inequality|minimum wage|"
    r"divorce|addiction|drugs?|weapons?|ethic\w*|moral\w*|controvers\w*)\b",
    re.IGNORECASE,
)
"""Subjects on which answers diverge somewhat."""

CHARACTERS_READ = 4000
"""Of a prompt: a novel is about many things."""
SHIFT = 0.5
"""Probability mass that a rule moves to the value it speaks for."""


def objectivity_shift(text: str) -> str | None:
    """Return the objectivity that the words of a prompt speak for, or None."""
    for value, matches in _OBJECTIVITY:
        if matches(text[:CHARACTERS_READ]):
            return value
    return None


def controversiality_shift(text: str) -> str | None:
    """Return the controversiality that the words of a prompt speak for, or None."""
    read = text[:CHARACTERS_READ]
    if CONTESTED.search(read):
        return "high"
    return "medium" if SENSITIVE.search(read) else None


_OBJECTIVITY: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("opinion", OPINION.search),
    ("open-ended", CREATIVE.search),
    ("factual", CLOSED.match),
)
