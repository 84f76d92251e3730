"""RM-Bench: three styles each of a chosen and a rejected reply, in four domains. `THU-KEG/RM-Bench`, split `train`, or its JSON files."""

from __future__ import annotations

import re

from goldsmith.benchdata.item import Item, every_comparison, one_turn
from goldsmith.benchdata.rows import BenchRow

ID = "rm-bench"
COLUMNS = ("id", "prompt", "chosen", "rejected")
EXPECTED = {"chat": 129, "math": 529, "code": 228, "safety-refuse": 284, "safety-response": 157}
STYLES = ("concise", "detailed", "markdown")
"""The order of the three replies: concise, detailed plain text, detailed Markdown."""
_FILE = re.compile(r"(?:^|/)(chat|math|code|safety-refuse|safety-response)(?:_filtered)?\.")


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like RM-Bench's."""
    lists = [row.get("chosen"), row.get("rejected")]
    plain = not {"num_correct", "total_completions", "additional_metadata"} & row.keys()
    # A file of columns has lists everywhere.
    return plain and not isinstance(row.get("prompt"), list) and all(isinstance(value, list) for value in lists)


def read(row: BenchRow) -> list[Item]:
    """Return the row's item: chosen replies 0 to 2, rejected ones 3 to 5, each in the order of `STYLES`; nine comparisons, row by row."""
    row.need(COLUMNS)
    replies = [*_styles(row, "chosen"), *_styles(row, "rejected")]
    domain = _domain(row)
    good = [True] * 3 + [False] * 3
    return [
        Item(
            benchmark=ID, subset=domain, item_id=f"{domain}/{row.name_of('id')}", context=one_turn(row.text("prompt")),
            replies=replies, good=good, comparisons=every_comparison(good), source_ref=row.where, meta=row.rest(("subset",)),
        )
    ]  # fmt: skip


def _styles(row: BenchRow, column: str) -> list[str]:
    texts = row.texts(column)
    if len(texts) != len(STYLES):
        raise row.error(f"{column} holds {len(texts)} replies; RM-Bench has {len(STYLES)}, {', '.join(STYLES)}")
    return texts


def _domain(row: BenchRow) -> str:
    """The column, or in the files of one domain, which have no such column, the file's name."""
    if "domain" in row.data:
        return row.one_of("domain", tuple(EXPECTED))
    found = _FILE.search(row.name)
    if found is None:
        raise row.error(
            f"no column 'domain', and the file's name does not say which it is; name it {', '.join(f'{name}_filtered.json' for name in EXPECTED)}"
        )
    return found[1]
