"""Features of the curation experiment's replies: the mean states of inner layers of the frozen trunk, resumable, the needed ones first.

    python benchmarks/curation_features.py --out DIR                           12,000 pool pairs and every evaluation set: hours on two cores
    python benchmarks/curation_features.py --out DIR --pairs 300 --only pool   a small one
    python benchmarks/curation_features.py --out DIR --reply-tokens 256        another cut: another folder

Reads GOLDSMITH_DATA in the order of `curation_parts/sources.py` (`STAGES`): 500 pool pairs, the test, then more of the pool and the
evaluation sets in turns. `curation.py` takes what is there. In DIR: `pairs.jsonl` (no text: prompts' numbers, names of replies, models,
gap, lengths, formatting), `prompts.npz` (embeddings of prompts) and `cache/*.npz` (name of reply -> states [layers, width]). Killed, the
same call goes on; replies that are cached already are not computed again, and a larger --pairs goes on in the same folder.
The trunk is run up to its `DEPTH`th layer only: layer 15 of 30 predicts preferences as well as any other (design/LOG-head.md), at half the cost.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from curation_parts.sources import EXTERNAL, STAGES, Source, external, lines, pool_and_test
from goldsmith.config.reward import RewardConfig
from goldsmith.curate.surface import surface
from goldsmith.identity import digest
from goldsmith.reward.grouping import Reply, group_replies
from goldsmith.reward.packing import collate, plan_batches
from goldsmith.reward.render import Rendered
from goldsmith.store import atomic

DEPTH = 15
LAYERS = (8, 11, 13, 15)
"""States after these layers are averaged over the reply's tokens; the last token's state after layer `DEPTH` comes after them."""
CHUNK = 240
"""Replies between two commits."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=12_000, help="pool pairs at most")
    parser.add_argument("--reply-tokens", type=int, default=512, help="replies are cut behind so many tokens")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--only", choices=["all", "pool"], default="all", help="pool and test alone, or the evaluation sets too")
    arguments = parser.parse_args()
    data = evaluation_data()
    _check_settings(
        arguments.out,
        {"reply_tokens": arguments.reply_tokens, "base": arguments.base, "states": [*map(str, LAYERS), f"last {DEPTH}"]},
    )
    groups = planned(data, arguments.pairs, arguments.only)
    everything = [pair for pairs in groups.values() for pair in pairs]
    write_pairs(arguments.out, everything)
    write_prompts(arguments.out, everything)
    owed = list(in_order(groups))
    print(f"{len(owed):,} replies of {len(everything):,} pairs", flush=True)
    compute(arguments.out, owed, arguments.base, arguments.reply_tokens)
    return 0


def evaluation_data() -> Path:
    folder = os.environ.get("GOLDSMITH_DATA")
    if not folder:
        raise SystemExit("FAILED: GOLDSMITH_DATA does not name a folder of evaluation data (docs/data.md)")
    return Path(folder)


def _check_settings(out: Path, settings: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    place = out / "settings.json"
    if place.is_file() and json.loads(place.read_text(encoding="utf-8")) != settings:
        raise SystemExit(
            f"FAILED: {out} was begun with {place.read_text(encoding='utf-8').strip()}; name another folder, or give the same settings"
        )
    atomic.write_json(place, settings)


def planned(data: Path, most: int, only: str) -> dict[str, list[Source]]:
    """Return the pairs by group: pool, test, and the evaluation sets."""
    pool, test = pool_and_test(lines(data / "pool_alpacaeval.jsonl.gz"), most)
    return {"pool": pool, "test": test, **({} if only == "pool" else {name: external(name, data) for name in EXTERNAL})}


def in_order(groups: dict[str, list[Source]]) -> Iterator[tuple[str, Reply]]:
    """Yield each reply once, with its name, stage by stage."""
    seen: set[str] = set()
    for stage in STAGES:
        group, _, end = stage.partition(":")
        pairs = groups.get(group, [])[: int(end) if end else None]
        # The pool in its own order, so that what is there is a prefix of it; the others by prompt, so that a chunk shares its tokens.
        for pair in pairs if group == "pool" else sorted(pairs, key=lambda pair: pair.prompt):
            for text in (pair.first, pair.second):
                name = reply_name(pair, text)
                if name not in seen:
                    seen.add(name)
                    yield name, Reply(pair.messages, text, pair.id)


def reply_name(pair: Source, text: str) -> str:
    """Return the name under which a reply's states are kept."""
    return digest([pair.messages, text])[:24]


def write_pairs(out: Path, pairs: list[Source]) -> None:
    differs = surface([pair.first for pair in pairs], [pair.second for pair in pairs])
    atomic.write_text(
        out / "pairs.jsonl",
        "".join(
            json.dumps(
                {
                    "group": pair.group, "id": pair.id, "prompt": pair.prompt, "words": words_of(pair), "is_first": pair.is_first,
                    "first": reply_name(pair, pair.first), "second": reply_name(pair, pair.second),
                    "length": float(length), "format": float(format), **pair.extra,
                }
            ) + "\n"
            for pair, length, format in zip(pairs, differs.length, differs.format, strict=True)
        ),
    )  # fmt: skip


def words_of(pair: Source) -> str:
    """Return a name of the first prompt's words: the same for prompts that differ in case and punctuation only."""
    return digest(re.findall(r"\w+", pair.messages[0]["content"].casefold()))[:16]


def write_prompts(out: Path, pairs: list[Source]) -> None:
    """Write the embeddings of the pool's prompts, for retrieval."""
    from goldsmith.retrieve.embed import Embedder

    texts = {pair.prompt: "\n".join(turn["content"] for turn in pair.messages) for pair in pairs if pair.group == "pool"}
    vectors = Embedder(cache=out / "embeddings.sqlite").embed(list(texts.values())).vectors
    buffer = io.BytesIO()
    np.savez(buffer, names=np.array(list(texts)), vectors=vectors)
    atomic.write_bytes(out / "prompts.npz", buffer.getvalue())


def cached(out: Path) -> dict[str, Any]:
    """Return the states of every reply that is there, by name."""
    found: dict[str, Any] = {}
    for path in sorted((out / "cache").glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            found.update(zip(shard["names"].tolist(), shard["vectors"], strict=True))
    return found


def compute(out: Path, owed: list[tuple[str, Reply]], base: str, reply_tokens: int) -> None:
    """Write the states of the replies that are missing, chunk by chunk."""
    known = cached(out)
    missing = [item for item in owed if item[0] not in known]
    if not missing:
        print("everything is there")
        return
    reader = StateReader(base, reply_tokens)
    began, tokens = time.monotonic(), 0
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        vectors, count = reader.states([reply for _, reply in chunk])
        tokens += count
        buffer = io.BytesIO()
        np.savez(buffer, names=np.array([name for name, _ in chunk]), vectors=vectors)
        atomic.write_bytes(out / "cache" / f"{chunk[0][0]}.npz", buffer.getvalue())
        done, rate = start + len(chunk), tokens / (time.monotonic() - began)
        left = (len(missing) - done) * tokens / done / rate
        print(f"{done:,} of {len(missing):,} replies, {rate:.0f} tokens/s, {left / 60:.0f} minutes left", flush=True)


class StateReader:
    """Reads the states of replies from the lower layers of a trunk."""

    def __init__(self, base: str, reply_tokens: int) -> None:
        from goldsmith.reward.backbone import load_backbone
        from goldsmith.reward.trunk import split_trunk

        self.backbone = load_backbone(RewardConfig(base=base, dtype="float32"))
        self.backbone.renderer.allows_empty = True
        self.lower, _ = split_trunk(self.backbone.trunk, DEPTH)
        self.reply_tokens = reply_tokens

    def states(self, replies: list[Reply]) -> tuple[Any, int]:
        """Return float32 [N, layers + 1, width] and the tokens computed."""
        import torch

        rendered = [self._cut(self.backbone.renderer.render(reply.context, reply.content, where=reply.name)) for reply in replies]
        groups, copies = group_replies(rendered, replies, share=self.backbone.packs)
        found: dict[int, Any] = {}
        for batch_groups in plan_batches(groups, 4096, packed=self.backbone.packs):
            batch = collate(batch_groups, self.backbone.renderer.pad_id, packed=self.backbone.packs)
            with torch.inference_mode():
                found.update(zip(batch.rows, self._forward(batch), strict=True))
        return np.stack([found[row] for row in copies]), sum(group.tokens for group in groups)

    def _cut(self, item: Rendered) -> Rendered:
        return Rendered(ids=item.ids[: item.reply_start + self.reply_tokens], reply_start=item.reply_start)

    def _forward(self, batch: Any) -> Any:
        import torch

        from goldsmith.reward.trunk import run_trunk

        states = run_trunk(self.lower, batch, output_hidden_states=True).hidden_states
        means = [
            torch.stack([states[layer].flatten(0, 1)[start:stop].mean(0) for start, stop in batch.spans]) for layer in LAYERS
        ]
        last = states[DEPTH].flatten(0, 1)[batch.last_R]
        return torch.stack([*means, last], dim=1).float().numpy()


if __name__ == "__main__":
    sys.exit(main())
