"""Real replies of models: nearly all are formatted, and their formulas read."""

import json
import re
from pathlib import Path

from goldsmith.annotate.rendering import render


def test_replies_with_mathematics_and_code_are_formatted(data_dir: Path) -> None:
    [path] = (data_dir / "judgebench").glob("*.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pages = [render(row[side]) for row in rows[:150] for side in ("response_A", "response_B")]
    raw = sum("raw-note" in page for page in pages)
    formulas = sum(page.count("<math") for page in pages)
    unread = sum(page.count('<code class="tex">') for page in pages)
    words = sum(len(re.findall(r"<mi>\\[a-zA-Z]+</mi>", page)) for page in pages)
    assert raw <= 0.01 * len(pages)
    assert formulas > 1000
    assert unread + words <= 0.01 * formulas
