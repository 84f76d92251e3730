"""Pre-verification without a model: a reply's marked final answer against the answer that is known, compared exactly.

`correct` and `incorrect` are said only where both sides are numbers, options of a choice or yes and no, and there is nothing to interpret; everything else,
rounding and units above all, is `cannot-tell`. A right final answer says nothing about the steps that lead there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from goldsmith.retrieve.text import plain_text
from goldsmith.types import Check, CheckOutcome, Pair, Side

MODEL = "exact-answer"
"""Stands where a model's name stands for other checks."""
SIDES: tuple[Side, Side] = ("first", "second")
LONGEST_ANSWER = 300
LONGEST_NUMBER = 60
LARGEST_EXPONENT = 300
BOXES_TRIED = 5
_BOX = re.compile(r"\\f?boxed\s*\{")
_HASHES = re.compile(r"^####\s*(.+)$", re.MULTILINE)
_SAYS = re.compile(
    r"(?:\bfinal\s+answer(?:\s+is)?|\b(?:the|our|my)\s+answer\s+is|^\W{0,4}answer)\W{0,4}?\s*[:=]?\s*(?:\*\*|__)?\s*([^\n]{1,300})|答案(?:是|为|：|:)\s*([^\n。]{1,300})",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:(?:e|\*10\^)([+-]?\d+))?")
_FRACTION = re.compile(r"([+-]?)(?:\\[dt]?frac\{([^{}]+)\}\{([^{}]+)\}|([^/{}]+)/([^/{}]+))")
_GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_APART = re.compile(r"[\d.]\s+[\d.]")
_SPACED = re.compile(r"[+-]?\s*\d{1,3}(?: \d{3})+(?:\.\d+)?")
_OPTION = re.compile(r"\(?([a-j])\)?[.:]?", re.IGNORECASE)
_YES = {"yes": True, "true": True, "no": False, "false": False, "是": True, "否": False}
_UNIT = re.compile(r"(.*?\d)\s*(?:%|[^\W\d_][^\W\d_/]{0,14}|°[cf]?|[€$£¥])", re.IGNORECASE)


def exact_checks(pairs: Sequence[Pair], field: str) -> list[Check]:
    """Return a check of each reply of the pairs whose `meta` holds a known answer.

    Args:
        pairs: objective pairs.
        field: of `meta`; a text or a number stands there.
    """
    checks = []
    for pair in {pair.pair_id: pair for pair in pairs}.values():
        known = _known(pair.meta.get(field))
        if known is not None:
            checks += [_check(pair, side, known) for side in SIDES]
    return checks


def final_answer(reply: str) -> str | None:
    """Return the answer that a reply marks as its final one: the last box, the last `####` line, or the last sentence that names it; None: none."""
    found = _last_box(reply)
    if found is None:
        hashes = _HASHES.findall(reply)
        found = hashes[-1] if hashes else None
    if found is None:
        said = [one or other for one, other in _SAYS.findall(reply)]
        found = _first_sentence(said[-1]) if said else None
    return found.strip()[:LONGEST_ANSWER] or None if found is not None else None


def compare(answer: str, known: str) -> CheckOutcome:
    """Return whether an answer is the known one; `cannot-tell` where comparing needs judgement."""
    one, other = _plain(answer), _plain(known)
    if one == other:
        return "correct"
    first, second = number(one), number(other)
    if first is not None and second is not None:
        if first == second:
            return "correct"
        return "cannot-tell" if _is_rounding(one, other, first, second) else "incorrect"
    options = _OPTION.fullmatch(one), _OPTION.fullmatch(other)
    if options[0] and options[1]:
        return "correct" if options[0][1].lower() == options[1][1].lower() else "incorrect"
    if one in _YES and other in _YES:
        return "correct" if _YES[one] == _YES[other] else "incorrect"
    return "correct" if _same_but_for_a_unit(one, other) else "cannot-tell"


def number(text: str) -> Fraction | None:
    """Return the number that a text is, and nothing else: an integer, a decimal, a power of ten, or a fraction of these; None: it is none."""
    if len(text) > LONGEST_NUMBER:
        return None
    if _APART.search(text) and not _SPACED.fullmatch(text.strip()):
        return None  # `3 1/2` is neither 31/2 nor a product, and `1 2` no twelve
    text = text.replace(" ", "")
    if match := _NUMBER.fullmatch(text):
        exponent = int(match[3] or 0) if len(match[3] or "") <= 4 else LARGEST_EXPONENT + 1
        if abs(exponent) > LARGEST_EXPONENT:
            return None
        value = Fraction(match[2].rstrip(".")) * Fraction(10) ** exponent
        return -value if match[1] == "-" else value
    if match := _FRACTION.fullmatch(text):
        above, below = number(match[2] or match[4]), number(match[3] or match[5])
        if above is None or not below:
            return None
        return -above / below if match[1] == "-" else above / below
    return None


def _check(pair: Pair, side: Side, known: str) -> Check:
    answer = final_answer(plain_text(pair.first if side == "first" else pair.second))
    if answer is None:
        return Check(
            pair_id=pair.pair_id, side=side, model=MODEL, outcome="cannot-tell", reason="The reply marks no final answer."
        )
    outcome = compare(answer, known)
    words = {"correct": "is", "incorrect": "is not", "cannot-tell": "may or may not be"}
    reason = f"Its final answer '{answer[:80]}' {words[outcome]} the known answer '{known[:80]}'."
    return Check(pair_id=pair.pair_id, side=side, model=MODEL, outcome=outcome, reason=reason)


def _known(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).strip()
    if len(text) > LONGEST_ANSWER:
        text = final_answer(text) or ""  # a worked solution, whose end marks the answer
    return (final_answer(text) or text) or None


def _last_box(reply: str) -> str | None:
    for match in list(_BOX.finditer(reply))[: -BOXES_TRIED - 1 : -1]:
        depth = 1
        for at in range(match.end(), min(len(reply), match.end() + LONGEST_ANSWER)):
            depth += {"{": 1, "}": -1}.get(reply[at], 0)
            if not depth:
                return reply[match.end() : at]
    return None


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[^\s\d])\.(?:\s|$)|(?<=\d)\.(?:\s|$)|[;。]|\s\(", text, maxsplit=1)[0]


def _plain(text: str) -> str:
    """An answer without the marks around it: Markdown, dollars of formulas, `x =`, text commands, commas of thousands."""
    text = (
        text.replace("\u2212", "-")
        .replace("\\%", "%")
        .replace("\\$", "")
        .replace("\\!", "")
        .replace("\\,", " ")
        .replace("\\;", " ")
    )
    text = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(
        r"\\left|\\right|\\displaystyle|[$*`]", "", text.replace("\\times", "*").replace("\\cdot", "*").replace("×", "*")
    )
    text = re.sub(r"\*?10\^\{?([+-]?\d+)\}?", r"*10^\1", text) if "10^" in text else text
    text = re.sub(r"^\s*\\?[a-zA-Z]\s*=\s*", "", " ".join(text.split()).strip(" .,:;"))
    return _GROUPED.sub(lambda found: found[0].replace(",", ""), text).casefold()


def _is_rounding(one: str, other: str, first: Fraction, second: Fraction) -> bool:
    """Whether two numbers differ by no more than half a unit of the last digit that either shows after its point, or a whole one for a cut digit."""
    places = [len(text.split(".", 1)[1]) for text in (one, other) if re.fullmatch(r"[+-]?\d*\.\d+", text)]
    return bool(places) and abs(first - second) < Fraction(1, 10 ** min(places))


def _same_but_for_a_unit(one: str, other: str) -> bool:
    bare = [match[1] if (match := _UNIT.fullmatch(text)) else text for text in (one, other)]
    values = number(bare[0].strip("$€£¥ ")), number(bare[1].strip("$€£¥ "))
    return values[0] is not None and values[0] == values[1] and (bare[0] == one or bare[1] == other)
