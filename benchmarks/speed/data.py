"""Pairs for the speed benchmarks: real ones, and long contexts put together from real texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from goldsmith.config.reward import RewardConfig
from goldsmith.identity import unit_interval
from goldsmith.pool.sources import read_pairs
from goldsmith.reward.backbone import make_renderer
from goldsmith.reward.checkpoint import locate
from goldsmith.reward.render import Renderer
from goldsmith.types import Pair

REAL = {"auto-j": "no_licence_stated/autoj_pairwise.jsonl.gz", "alpacaeval": "pool_alpacaeval.jsonl.gz"}
READ = 3000


def data_folder() -> Path:
    folder = os.environ.get("GOLDSMITH_DATA")
    if not folder or not Path(folder).is_dir():
        raise SystemExit("FAILED: set GOLDSMITH_DATA to the folder of evaluation data (docs/data.md)")
    return Path(folder)


def renderer_of(base: str, max_length: int) -> Renderer:
    from transformers import AutoConfig

    folder = locate(base)
    return make_renderer(folder, AutoConfig.from_pretrained(folder), RewardConfig(base=base, max_length=max_length))


def real_pairs(name: str, count: int, seed: int = 0, *, one_a_context: bool = True) -> list[Pair]:
    """`count` pairs with a preference and two different replies, drawn by hash, of different contexts unless more are needed."""
    contexts: set[str] = set()
    found = []
    for pair in islice(read_pairs(data_folder() / REAL[name]), READ):
        if isinstance(pair, Pair) and pair.label != "tie" and pair.first != pair.second:
            if one_a_context and pair.context_id in contexts:
                continue
            contexts.add(pair.context_id)
            found.append(pair)
    found.sort(key=lambda pair: unit_interval(pair.pair_id, seed))
    return found[:count]


def long_contexts(
    renderer: Renderer, count: int, context: int, reply: int, replies: int = 2
) -> list[tuple[list[dict[str, Any]], list[str]]]:
    """Conversations of about `context` tokens, several turns of real pairs joined, each with `replies` texts of about `reply` tokens."""
    turns = _turns()
    texts = _long_texts(renderer, reply)
    result = []
    for _ in range(count):
        messages: list[dict[str, Any]] = []
        while renderer_length(renderer, messages) < context:
            messages += next(turns)
        result.append(([*messages, {"role": "user", "content": "Go on."}], list(islice(texts, replies))))
    return result


def renderer_length(renderer: Renderer, messages: Sequence[dict[str, Any]]) -> int:
    return sum(len(_ids(renderer, str(message["content"]))) + 5 for message in messages)


def _turns() -> Iterator[list[dict[str, Any]]]:
    """User and assistant turns of real pairs, cut to 150 words so that a context is met within a turn."""
    while True:
        for pair in real_pairs("auto-j", READ):
            reply = " ".join(str(pair.chosen).split()[:100])
            yield [
                {"role": "user", "content": " ".join(str(pair.messages[-1]["content"]).split()[:50])},
                {"role": "assistant", "content": reply},
            ]


def _long_texts(renderer: Renderer, tokens: int) -> Iterator[str]:
    while True:
        for pair in real_pairs("alpacaeval", READ):
            for text in (str(pair.first), str(pair.second)):
                ids = _ids(renderer, text)
                if len(ids) >= tokens:
                    yield renderer.tokenizer.decode(ids[:tokens])


def _ids(renderer: Renderer, text: str) -> list[int]:
    return list(renderer.tokenizer(text, add_special_tokens=False)["input_ids"])
