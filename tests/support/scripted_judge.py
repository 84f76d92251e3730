"""Scripts of a judge behind a scripted server: what it is shown, and one that knows which reply is good."""

from __future__ import annotations

import json
import re
from typing import Any

from goldsmith.llm.mock import Reply


def candidates(body: dict[str, Any]) -> tuple[str, str]:
    """The candidates' texts of the pair to judge, as the server sees them; a request to mend a reply comes after the question."""
    text = next(m["content"] for m in body["messages"] if "Judge this pair:" in m["content"]).rpartition("Judge this pair:")[2]
    found = re.search(r"<<<Candidate 1 (\w+)>>>\n(.*)\n<<<Candidate 2 \1>>>\n(.*)\n<<<end \1>>>", text, re.DOTALL)
    assert found is not None, text
    return found[2], found[3]


def choose(candidate: int) -> Reply:
    return Reply(text=json.dumps({"choice": str(candidate)}))


def right(body: dict[str, Any], number: int) -> Reply:
    return choose(1 if candidates(body)[0].startswith("good") else 2)
