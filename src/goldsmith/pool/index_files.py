"""The benchmarks' index on its way to worker processes: texts as JSON, numbers as plain arrays that all workers map into memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from goldsmith.pool.decontaminate import BenchmarkIndex

_ARRAYS = ("grams", "owners", "known_words", "gram_bits")
_TEXTS = "texts.json"


def write_index(index: BenchmarkIndex, folder: Path) -> None:
    """Write an index into a new folder."""
    folder.mkdir()
    texts = {
        "set_names": index.set_names,
        "short": {_text(words): place for words, place in index.short.items()},
        "prompts": [_text(words) for words in index.prompts],
        "set_of_prompt": index.set_of_prompt,
    }
    (folder / _TEXTS).write_text(json.dumps(texts), encoding="ascii")
    if index.grams is not None:
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(index, name), allow_pickle=False)


def read_index(folder: Path) -> BenchmarkIndex:
    """Return the index that was written into a folder; its arrays stay in the files, which must outlive it."""
    texts = json.loads((folder / _TEXTS).read_text(encoding="ascii"))
    paths = {name: folder / f"{name}.npy" for name in _ARRAYS}
    arrays = {name: np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)) for name, path in paths.items() if path.exists()}
    return BenchmarkIndex(
        set_names=texts["set_names"],
        short={_bytes(words): place for words, place in texts["short"].items()},
        prompts=[_bytes(words) for words in texts["prompts"]],
        set_of_prompt=texts["set_of_prompt"],
        **arrays,
    )


# A benchmark's text may hold half a surrogate pair; as an escape in ASCII, JSON can carry that too.
def _text(words: bytes) -> str:
    return words.decode("utf-8", "surrogatepass")


def _bytes(words: str) -> bytes:
    return words.encode("utf-8", "surrogatepass")
