"""The queue as a file, for whoever votes in a tool of their own."""

from __future__ import annotations

import json
from pathlib import Path

from goldsmith.store import Workspace, atomic


def export_queue(workspace: Workspace, path: Path) -> dict[str, int]:
    """Write the queue's unfinished pairs to a JSONL file, most urgent first, and return {"pairs"}.

    Each line holds the pair, its attributes, the round that is asked for (`first` or `expert`) and how many votes it has.
    """
    from goldsmith.gold.gate import open_items
    from goldsmith.gold.room import open_votes

    store = open_votes(workspace)
    try:
        items = open_items(store, workspace.config.gold)
    finally:
        store.close()
    atomic.write_text(path, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    return {"pairs": len(items)}
