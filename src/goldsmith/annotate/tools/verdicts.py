"""Tells a request for the verdict, and a verdict given, from a question of fact: in English and Chinese, by what such sentences look like.

These are nets, not proofs: the prompt forbids verdicts as well, and every question and answer is on record.
"""

from __future__ import annotations

import re

REFUSED = "REFUSED"
_THING = r"(?:repl(?:y|ies)|answers?|responses?|candidates?|options?|outputs?|completions?|versions?|solutions?)"
_WHICH = rf"(?:\b(?:repl(?:y|ies)|answer|response|candidate|option|output|completion|version|solution)\s*(?:no\.?\s*|number\s*|#\s*)?(?:1|2|one|two|a|b)\b|\b(?:the\s+)?(?:first|second|former|latter|1st|2nd|left|right)(?:\s+(?:one|{_THING}))?\b)"
_BETTER = r"(?:(?:much|far|clearly|slightly|overall|simply|the|a\s+bit)\s+)*(?:better|best|superior|stronger|preferable|worse|worst|inferior|weaker)"
_ASKED = (
    rf"\bwhich\b(?:\s+(?:one|of|the|these|those|them|two|both|is|do\s+you\s+think|would\s+you\s+say|{_THING}))*[^.?!\n]{{0,60}}\b(?:better|best|worse|worst|superior|prefer|preferred|preferable|wins?|winner|choose|pick|vote|favou?r)\b",
    rf"\bwhich\s+(?:of\s+)?(?:the\s+|these\s+)?(?:two\s+)?(?:one|{_THING})?\s*(?:is|are|do\s+you\s+find)\s+(?:the\s+)?(?:more\s+|most\s+)?(?:correct|right|accurate|helpful|true)\b",
    rf"\b(?:what|who)(?:'s|\s+is)\s+the\s+(?:better|best|worse|worst|superior|preferred)\s+(?:one|choice|{_THING})\b",
    r"\b(?:what|who)(?:'s|\s+is|\s+are|\s+would\s+be)?\s+(?:the\s+|your\s+)?(?:winner|verdict|preference|vote|ranking)\b",
    r"\b(?:should|shall|do|would|could|can|must)\s+(?:i|you|we|one)\s+(?:rather\s+)?(?:choose|pick|vote|prefer|favou?r|select|rank|rate|score)\b",
    rf"\b(?:rank|rate|score|grade|judge|vote)\b[^.?!\n]{{0,30}}\b(?:them|both|{_THING})\b",
    r"\b(?:pick|choose|select)\s+(?:one|a\s+winner|the\s+(?:better|best|winner)|between)\b",
    rf"\bis\s+{_WHICH}[^.?!\n]{{0,30}}\b{_BETTER}\b",
    r"\b(?:tell|give|say)\s+me\b[^.?!\n]{0,40}\b(?:verdict|winner|better|best|preference)\b",
    r"哪(?:一)?个(?:回复|回答|答案|回應|回應)?[^。？！\n]{0,12}(?:更好|较好|最好|更优|更佳|更差|胜出|赢)",
    r"(?:更喜欢|偏好|选择|应该选|选|投)哪(?:一)?个",
    r"(?:第?[一二12]个?(?:回复|回答|答案)?)[^。？！\n]{0,10}(?:更好|更优|更佳|较好)吗",
    r"(?:打分|评分|排名|排序|裁决|判定胜负)",
)
_GIVEN = (
    rf"{_WHICH}(?:\s+\w+){{0,2}}?\s+(?:is|was|seems?|looks?|appears?\s+to\s+be|would\s+be|remains?)\s+(?:(?:much|far|clearly|slightly|overall|simply|the|a|bit|therefore|thus|also|generally|definitely)\s+)*(?:better|best|superior|stronger|preferable|worse|worst|inferior|weaker|winner)\b",
    rf"{_WHICH}\s+(?:clearly\s+|definitely\s+|therefore\s+)?(?:wins|is\s+the\s+winner|deserves\s+(?:to\s+win|the\s+vote)|should\s+(?:win|be\s+(?:preferred|chosen|picked|selected)))\b",
    rf"\b(?:i|we)(?:'d|\s+would)?\s+(?:\w+\s+)?(?:prefer|choose|pick|vote\s+for|favou?r|recommend\s+choosing|go\s+with)\s+(?:the\s+)?{_WHICH}",
    rf"\b(?:prefer|choose|pick|vote\s+for|select)\s+(?:the\s+)?{_WHICH}",
    rf"\b(?:the\s+)?(?:better|best|superior|stronger|preferred|winning)\s+(?:{_THING}|one|choice)\s+(?:is|would\s+be)\b",
    r"\b(?:verdict|winner|preference|final\s+choice|my\s+vote)\s*(?:is|:|=)",
    rf"\bboth\s+(?:\w+\s+)?(?:{_THING}\s+)?(?:are|seem)\s+equally\s+(?:good|bad|strong|weak)\b",
    r"(?:回复|回答|答案|回應)\s*[一二12AB甲乙][^。！？\n]{0,12}(?:更好|更优|更佳|更差|较好|胜出|略胜)",
    r"(?:第[一二](?:个|份|条)?(?:回复|回答|答案)?)[^。！？\n]{0,12}(?:更好|更优|更佳|更差|较好|胜出|略胜)",
    r"(?:更喜欢|更倾向于?|建议选择?|应选|选择)\s*(?:第[一二]|回复|回答|答案)",
)
_ASKS = re.compile("|".join(_ASKED), re.IGNORECASE)
_GIVES = re.compile("|".join(_GIVEN), re.IGNORECASE)


def asks_for_verdict(question: str) -> bool:
    """Return whether a question asks which reply is better, in any of the usual ways."""
    return _ASKS.search(_flat(question)) is not None


def gives_verdict(answer: str) -> bool:
    """Return whether an answer says which reply is better; that one statement in a reply is right or wrong is no verdict."""
    return _GIVES.search(_flat(answer)) is not None


def is_refusal(answer: str) -> bool:
    """Return whether a model refused, as its prompt asks it to: the one word, whatever stands around it."""
    return re.fullmatch(r"\W*refused\W*", answer.strip()[:40], re.IGNORECASE) is not None


def _flat(text: str) -> str:
    """One line, without the marks of Markdown, so that `**Reply 1** is *better*` reads as it looks."""
    return " ".join(re.sub(r"[*_`#>~\u200b-\u200f\u2060\ufeff]", "", text).split())
