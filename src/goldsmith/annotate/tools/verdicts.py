"""Tells a request for the verdict, and a verdict given, from a question of fact: in English and Chinese, by what such sentences look like.

These are nets, not proofs: the prompt forbids verdicts as well, and every question and answer is on record.
"""

from __future__ import annotations

import re
import unicodedata

REFUSED = "REFUSED"
# What is judged, and one side of it. An ordinal alone is a side only where no other noun follows: "the first law" is none.
_REPLY = r"(?:repl(?:y|ies)|answers?|responses?|candidates?|completions?)"
_THING = rf"(?:{_REPLY}|options?|outputs?|versions?|solutions?)"
_NUMBERED = (
    r"\b(?:reply|answer|response|candidate|option|completion|solution)\s*(?:no\.?\s*|number\s*|#\s*)?(?:1|2|one|two|a|b)\b"
)
_ORDINAL = r"\b(?:the\s+)?(?:first|second|former|latter|1st|2nd|left|right)"
_SIDE = rf"(?:{_NUMBERED}|{_ORDINAL}\s+(?:one|{_THING})\b)"
_BARE = rf"(?:{_SIDE}|{_ORDINAL}\b|\b[12ab]\b)"
_ALONE = rf"(?:{_SIDE}|(?:{_ORDINAL}|\b[12ab])(?=\s*(?:[.,;!?]|$)))"
# How sides differ.
_ADVERB = r"(?:(?:much|far|clear|clearly|slightly|overall|simply|the|a|bit|therefore|thus|also|generally|definitely|of)\s+)*"
_WORTH = r"(?:better|best|superior|stronger|strongest|preferable|preferred|worse|worst|inferior|weaker|weakest|winner|winning)"
_MORE = r"(?:(?:more|less|most|least)\s+(?:accurate|helpful|correct|complete|convincing|thorough|useful|reliable|clear|detailed|right|true)|(?:higher|better|lower|worse)\s+quality|fewer\s+(?:errors|mistakes))"
_BETTER = rf"{_ADVERB}(?:{_WORTH}|{_MORE})\b(?!\s+known\b)"
_BEATS = r"(?:wins?\b(?!\s+\w+ing\b)|beats?|outperforms?|outdoes|surpasses|edges?\s+out|comes?\s+out\s+(?:ahead|on\s+top)|(?:is\s+)?(?:an\s+)?improvement\s+(?:over|on))\b"
_CHOOSE = r"(?:choose|pick|vote(?:\s+for)?|prefer|favou?r|select|recommend|go\s+(?:with|for)|like)"
_WHICH = rf"\b(?:which|what|whose)(?:'?s)?(?:\s+of)?(?:\s+(?:the|these|those|them|two|both|one|ones|{_THING}))*"
_IS = r"(?:is|was|are|seems?|looks?|appears?\s+to\s+be|would\s+be|remains?|has|have)"
_START = r"(?:^|[.!?:;,]\s*|\b(?:please|and|then|to|you|me)\s+)"
_ASKED = (
    rf"{_WHICH}\s+{_IS}\s+(?:do\s+you\s+think\s+)?{_ADVERB}(?:{_WORTH}\b(?!\s+(?:known|(?!{_REPLY}|one)\w+\s+(?:of|for|in|to)))|more\s+(?:accurate|helpful|correct|right)\b|fewer\b|higher\s+quality)",
    rf"{_WHICH}\s+(?:do|does|did|would|should|shall|could|can|must|to|you'd|i'd|deserves?(?:\s+to)?|gets?|wins?)\b(?!\s*['\x22\u201c])[^.?!]{{0,50}}\b(?:{_CHOOSE}|be\s+{_WORTH}|win|vote)\b",
    rf"\bwhich\s+(?:one|(?:of\s+)?(?:the\s+|these\s+)?(?:two\s+)?{_REPLY})\s+(?:{_BEATS}|(?:is|are|do\s+you\s+find)\s+(?:the\s+)?(?:most\s+)?(?:correct|right|accurate|helpful|true)\b)",
    rf"\b(?:which|what)\b[^.?!]{{0,20}}\b(?:one|{_REPLY})\b[^.?!]{{0,30}}\b(?:{_WORTH}|prefer|pick|choose|vote|select)\b",
    rf"\b(?:the|whats?)\s+{_WORTH}\s+(?:of\s+the\s+two|one|choice|{_REPLY})\b",
    r"\b(?:what|who)(?:'?s|\s+is|\s+are|\s+would\s+be)?\s+(?:the\s+|your\s+)?(?:winner|verdict|preference|vote|ranking)\b(?!'s|\s+(?:of|in|at|for)\b)",
    r"\byour\s+(?:own\s+)?(?:pick|verdict|preference|vote|favou?rite|ranking|rating|judge?ment|(?:final\s+)?choice)\b|\bwho\s+(?:wins|won)\W*$|\bwho\b[^.?!]{0,20}\bbetter\b|\b(?:a|any)\s+(?:clear\s+)?winner\W*$",
    rf"\b(?:should|shall|do|would|could|can|must)\s+(?:i|you|we|one)\s+(?:rather\s+)?(?:{_CHOOSE}|rank|rate|score)\b(?:\W*$|[^.?!]{{0,30}}\b(?:{_THING}|which|between|them|both|these|1|2)\b)",
    rf"\b(?:do|does|did|would|should|will|can|could)\b[^.?!]{{0,30}}\b(?:prefer|favou?r|vote(?:\s+for)?|choose|pick|recommend)\s+(?:{_ALONE}|{_ORDINAL}\s+or\b)",
    rf"{_SIDE}\s+(?:deserve|win|(?:vs\.?|versus)\s+{_BARE}\W*$)|\b{_REPLY}\s+(?:tied|equal)\b|\bwhich\s+one(?:\s+(?:should|shall)\s+(?:i|we)\s+\w+)?\W*$",
    rf"{_START}(?:rank|rate|score|grade|judge|evaluate|assess)\s+(?:\w+\s+){{0,3}}(?:them|both|each|{_REPLY})\b",
    rf"\b(?:give|assign)\b[^.?!]{{0,30}}\b(?:{_REPLY}|each|both|them)\b[^.?!]{{0,15}}\b(?:scores?|grades?|ratings?|marks?|points?)\b",
    rf"\b(?:give|assign)\b[^.?!]{{0,15}}\b(?:scores?|grades?|ratings?|marks?|points?)\b[^.?!]{{0,15}}\b(?:{_REPLY}|each|both|them)\b",
    rf"\bhow\s+good\s+(?:is|are)\b[^.?!]{{0,15}}\b{_REPLY}\b",
    r"\b(?:pick|choose|select)\s+(?:one\b|a\s+winner|the\s+(?:better|best|winner)|between\b)|\b(?:which|what)(?:\s+one)?\s+to\s+(?:choose|pick|select|prefer|vote)",
    rf"\bwhich\s+{_REPLY}\s+to\b|\bhelp\s+me\s+(?:to\s+)?(?:decide|choose|pick)\b|\b(?:equally|just\s+as)\s+(?:good|bad)\b",
    rf"{_START}compare\s+(?:(?:the|these|those|both|two)\s+)*(?:{_REPLY}|them)\s*(?:[.?!,;:]|$|and\b|overall\b)",
    rf"\bcompare\s+{_SIDE}\s+(?:with|to|and|against)\s+{_BARE}",
    rf"\b(?:is|are|was|does|do|did|would|could)\s+(?:{_SIDE}[^.?!]{{0,30}}?|{_BARE})\s+(?:{_BETTER}|{_BEATS})",
    rf"(?:^|[,:;?]\s*)(?:{_BARE}|one)\s+or\s+(?:{_BARE}|two)\W*$",
    rf"\b(?:tell|give|say)\s+me\b[^.?!]{{0,40}}\b(?:verdict|winner|preference)\b|\bsay\b[^.?!]{{0,15}}\bif\s+{_SIDE}\s+{_IS}\s+{_BETTER}",
)
_GIVEN = (
    rf"{_SIDE}(?:,[^.!?,]{{0,50}},)?(?:\s+\w+){{0,2}}?\s+{_IS}\s+{_BETTER}",
    rf"{_ORDINAL}\s+{_IS}\s+{_ADVERB}{_WORTH}\b(?!\s+than\s+the\s+(?:first|second)\s+(?!one|{_THING})\w)",
    rf"(?:^|[.!?:;]\s*|\bthat\s+)[12ab]\s+{_IS}\s+{_BETTER}",
    rf"{_SIDE}\s+(?:\w+ly\s+)?(?:{_BEATS}|deserves\s+(?:to|the)\b|has\s+the\s+edge|(?:is|would\s+be)\s+my\b|should\s+(?:win|be\s+(?:preferred|chosen|picked|selected|ranked)))",
    rf"{_SIDE}\s+(?:\w+ly\s+)?(?:does|gives?|provides?|offers?|has|shows?)\s+(?:an?|the)\s+{_ADVERB}{_WORTH}\s+\w+",
    rf"{_SIDE}[^.?!]{{0,60}}\b(?:better|worse|more|less|fewer)\b[^.?!]{{0,40}}\bthan\s+(?:the\s+other\b|{_SIDE})",
    rf"{_SIDE}\s*[<>]\s*{_SIDE}|\[\[[abc]\]\]|\bbetween\s+the\s+two,?\s+{_ALONE}|\blean(?:s|ing)?\s+(?:towards?|to)\s+{_SIDE}|\bso\s+{_SIDE}\s+it\s+is\b",
    rf"\b(?:i|we)(?:'d|\s+would)?\s+(?:\w+\s+)?(?:{_CHOOSE}|recommend\s+choosing|rate)\s+(?:the\s+)?{_ALONE}|\brate\s+{_SIDE}\s+(?:an?|at|as)\b",
    rf"(?:^|[.!?:;,]\s*)(?:{_CHOOSE})\s+{_ALONE}|\b(?:prefer|choose|pick|vote\s+for|select)\s+(?:the\s+)?{_SIDE}",
    rf"\b{_WORTH}\s+(?:{_REPLY}|one|choice)\s+(?:of\s+the\s+two\s+)?(?:is|would\s+be)\s*:?\s*{_BARE}",
    rf"\b(?:verdict|winner|preference|choice|vote|pick|answer|preferred|better|best)\s*(?:is|:|=)\s*(?:{_SIDE}|{_REPLY}\s+[12ab]\b|neither\b|tie\b)",
    rf"\b(?:verdict|winner|preference|(?:final|my)\s+(?:choice|pick|vote))\s*(?:is|:|=)\s*(?:{_ALONE}|tie\b)",
    rf"{_SIDE}\s*(?::|=|gets|scores|deserves|-)\s*(?:an?\s+)?\d+(?:\.\d+)?\s*(?:/|out\s+of)\s*(?:5|10|100)\b|\d\s*/\s*(?:5|10|100)\s+(?:for|to)\s+{_SIDE}",
    rf"\b(?:both|they|the\s+two)\s+(?:\w+\s+)?(?:{_THING}\s+)?(?:are|seem)\s+(?:\w+\s+)?(?:equally\s+(?:good|bad|strong|weak|helpful)|of\s+(?:similar|equal|the\s+same)\s+quality)",
    rf"\bneither\s+(?:{_REPLY}\s+|one\s+|of\s+them\s+)?is\s+{_ADVERB}{_WORTH}\b|\b(?:it'?s|it\s+is|call\s+it)\s+a\s+tie\W*(?:$|[.!])",
)
# The same in Chinese, simplified; the commonest traditional forms are folded before.
_ZH_REPLY = r"(?:回复|回答|答案|回应|答复)"
_ZH_SIDE = rf"(?:{_ZH_REPLY}\s*[一二12ab甲乙]|第[一二12](?:个|条|份|种)?{_ZH_REPLY}?)"
_ZH_WORTH = r"(?:好|优秀?|佳|差|强|胜出|获胜|准确|完整|合适|合理|有用|有帮助|高)"
_ZH_ADVERB = r"(?:应该|质量|内容|整体|总体|明显|显然|会|要|的|是|更|较|比较|最|稍|略|相对)"
_ASKED_CHINESE = (
    rf"哪一?(?:个|条|份|种|篇|边){_ZH_REPLY}?(?:\s*{_ZH_ADVERB})*\s*(?:{_ZH_WORTH}|赢|胜|值得)|最(?:佳|好|优)的?{_ZH_REPLY}",
    r"(?:喜欢|偏好|倾向于?|选择?|投给?|推荐)(?:哪一?(?:个|条|份|种)(?!选项)|谁)|谁更?胜|更胜一筹|(?:^|[，,。？])谁(?:更|较|比较)?(?:好|优|强|赢)",
    rf"(?:{_ZH_SIDE}|\b[ab甲乙])比(?:{_ZH_SIDE}|[ab甲乙])[^。？！]{{0,8}}{_ZH_WORTH}|{_ZH_SIDE}[^。？！]{{0,10}}(?:更|较|比较){_ZH_WORTH}吗|{_ZH_SIDE}是(?:不是|否)[^。？！]{{0,4}}(?:更|较|比较){_ZH_WORTH}",
    rf"{_ZH_SIDE}\s*(?:更|比较)?{_ZH_WORTH}?还是{_ZH_SIDE}|(?:^|[：:，,\s])[1一a]好?还是[2二b]好?\W*$",
    rf"比较一?下?(?:这|两|这两)个?{_ZH_REPLY}|优劣|孰优|{_ZH_REPLY}[^。？！]{{0,4}}(?:一样|同样)好|(?:帮|替)我(?:做个?决定|选)|更好的\W*$",
    rf"(?:{_ZH_REPLY}|它们|两者|二者)[^。？！]{{0,6}}(?:打个?分|打几分|评个?分|评分|排个?名|排序)|(?:^|请)(?:打分|评分|排名|排个名)\W*$|裁决|判定胜负",
)
_GIVEN_CHINESE = (
    rf"{_ZH_REPLY}\s*[一二12ab甲乙][^。！？]{{0,12}}(?:(?:更|较|比较|最|略){_ZH_WORTH}|更?略?胜|为佳)|{_ZH_SIDE}(?:{_ZH_ADVERB})*(?:{_ZH_WORTH}(?!的|地)|略?胜)(?![^，。！？]{{0,3}}地)",
    rf"{_ZH_SIDE}\s*(?:优于|不如|胜过|强于|好于|逊于|差于|比)\s*(?:{_ZH_SIDE}|另一)",
    rf"(?:更喜欢|更倾向于?|我会?选择?|建议选择?|应选|推荐)\s*(?:{_ZH_SIDE}|[12](?!\d))|选择{_ZH_SIDE}(?!\w)|(?:综上|因此|所以|总之)[，,]?(?:应|我)?选\s*[ab12]",
    rf"(?:胜者|最佳|更好的|较好的|获胜的?){_ZH_REPLY}?\s*(?:是|为|：|:)\s*(?:{_ZH_SIDE}|[12ab])|(?:^|[。！？])[ab甲乙](?:明显)?(?:更|比较)好",
    rf"(?:两个|两者|二者|它们){_ZH_REPLY}?[^。！？]{{0,4}}(?:一样好|同样好|不分上下|不相上下|平手)|(?:^|判为)平局",
)
_ASKS = re.compile("|".join(_ASKED + _ASKED_CHINESE))
_GIVES = re.compile("|".join(_GIVEN + _GIVEN_CHINESE))
_ALIKE = str.maketrans("аеорсхіјѕ個覆較優選會贏勝應評給兩種條複", "aeopcxijs个复较优选会赢胜应评给两种条复")
"""Cyrillic letters that look like Latin ones, and traditional characters."""


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
    """One line in small letters, without accents, look-alikes and the marks of Markdown, so that `**Reply 1** is *better*` reads as it looks."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    folded = unicodedata.normalize("NFKC", bare).casefold().translate(_ALIKE).replace("’", "'")
    return " ".join(re.sub(r"^\s*>+|[*_`#~\u200b-\u200f\u2060\ufeff]", "", folded, flags=re.MULTILINE).split())
