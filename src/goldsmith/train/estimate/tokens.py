"""How many UTF-8 bytes a token of a model's tokenizer holds, on the user's own text; without torch."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from goldsmith.models import base_model_path, checkpoint_path

SAMPLE = 500
"""Pairs whose replies are tokenised."""


def bytes_per_token(base: str | Path, pairs: str | Path, max_line_mb: int) -> float | None:
    """Return the bytes a token holds in the first replies of a file; None when the tokenizer is not on this machine.

    Args:
        base: `embedded`, a folder or a hub id.
        pairs: a file of pairs.
        max_line_mb: longest line that is read.
    """
    path = _tokenizer_file(base)
    if path is None:
        return None
    from tokenizers import Tokenizer

    from goldsmith.pool.sources import Rejected, read_pairs

    rows = (row for row in read_pairs(pairs, max_line_mb=max_line_mb) if not isinstance(row, Rejected))
    texts = [reply for row in islice(rows, SAMPLE) for reply in (row.first, row.second) if isinstance(reply, str)]
    tokens = sum(len(found.ids) for found in Tokenizer.from_file(str(path)).encode_batch(texts, add_special_tokens=False))
    return sum(len(text.encode()) for text in texts) / tokens if tokens else None


def _tokenizer_file(base: str | Path) -> Path | None:
    folder: Path | str = checkpoint_path() if str(base) == "embedded" else base_model_path(base)
    if isinstance(folder, Path):
        path = folder / "tokenizer.json"
        return path if path.is_file() else None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    cached = try_to_load_from_cache(folder, "tokenizer.json")
    return Path(cached) if isinstance(cached, str) else None
