"""Features of the curation experiment's pairs: several read-outs in one pass over the frozen trunk, resumable.

    python benchmarks/curation_features.py --out DIR                       12,000 pairs at 512 tokens: hours on two cores
    python benchmarks/curation_features.py --out DIR --pairs 300 --max-length 128

Reads `pool_alpacaeval.jsonl.gz` of GOLDSMITH_DATA. Whole prompts are drawn by hash until there are enough pairs, at most --per-prompt of each.
In DIR: `pairs.jsonl` (no text: prompt's number, models, gap, lengths, formatting), `features-<n>.npz` with `last_*` (last token of the last
layer), `layers_*` (means over the reply's tokens of two inner layers) and `embedding` (of the prompt), and `done.json` once all is there.
Killed, the same call continues: finished parts stay, and the trunk's vectors are cached reply by reply in DIR/cache.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from goldsmith.config.reward import RewardConfig
from goldsmith.curate.surface import surface
from goldsmith.identity import unit_interval
from goldsmith.progress import ConsoleProgress
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.grouping import Reply
from goldsmith.store import atomic

PART = 500
"""Pairs of a part."""
SEED = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=12_000)
    parser.add_argument("--per-prompt", type=int, default=20)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--source", type=Path, help="another file in the same layout")
    arguments = parser.parse_args()
    source = arguments.source or _data() / "pool_alpacaeval.jsonl.gz"
    settings = {
        "pairs": arguments.pairs,
        "per_prompt": arguments.per_prompt,
        "max_length": arguments.max_length,
        "base": arguments.base,
    }
    _check_settings(arguments.out, settings)
    rows = draw(source, arguments.pairs, arguments.per_prompt)
    oriented = [orient(row) for row in rows]
    atomic.write_text(
        arguments.out / "pairs.jsonl",
        "".join(json.dumps(describe(row, pair)) + "\n" for row, pair in zip(rows, oriented, strict=True)),
    )
    write_features(arguments.out, oriented, arguments.base, arguments.max_length)
    atomic.write_json(arguments.out / "done.json", {"num_pairs": len(rows), **settings})
    print(f"{arguments.out}: {len(rows)} pairs of {len({pair['prompt'] for pair in oriented})} prompts")
    return 0


def _data() -> Path:
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


def draw(source: Path, num_pairs: int, per_prompt: int) -> list[dict[str, Any]]:
    """Return rows of whole prompts by hash, at most `per_prompt` of each, until there are `num_pairs`."""
    by_prompt: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(source, "rt", encoding="utf-8") if source.suffix == ".gz" else source.open(encoding="utf-8") as stream:
        for line in stream:
            if line.strip():
                row = json.loads(line)
                by_prompt[row["prompt"][0]["content"]].append(row)
    chosen: list[dict[str, Any]] = []
    for prompt in sorted(by_prompt, key=lambda text: unit_interval(text, SEED)):
        rows = sorted(by_prompt[prompt], key=lambda row: unit_interval(str(row["id"]), SEED))[:per_prompt]
        chosen += rows
        if len(chosen) >= num_pairs:
            break
    return chosen[:num_pairs]


def orient(row: dict[str, Any]) -> dict[str, Any]:
    """Return the pair with its sides by a hash of its id, so that order says nothing of the label."""
    is_first = unit_interval(f"side:{row['id']}", SEED) < 0.5
    sides = (row["chosen"], row["rejected"]) if is_first else (row["rejected"], row["chosen"])
    return {
        "id": row["id"],
        "prompt": row["prompt"][0]["content"],
        "messages": row["prompt"],
        "first": sides[0],
        "second": sides[1],
        "is_first": is_first,
    }


def describe(row: dict[str, Any], pair: dict[str, Any]) -> dict[str, Any]:
    """Return the line of `pairs.jsonl`: no text."""
    differs = surface([pair["first"]], [pair["second"]])
    models = (row["meta"]["chosen_model"], row["meta"]["rejected_model"])
    first, second = models if pair["is_first"] else models[::-1]
    return {
        "id": pair["id"], "prompt": f"{unit_interval(pair['prompt'], SEED):.12f}", "is_first": pair["is_first"], "gap": row["meta"]["logit_gap"],
        "first_model": first, "second_model": second, "length": float(differs.length[0]), "format": float(differs.format[0]),
    }  # fmt: skip


def write_features(out: Path, pairs: list[dict[str, Any]], base: str, max_length: int) -> None:
    """Write the parts that are missing."""
    from goldsmith.retrieve.embed import Embedder

    store = FeatureStore(RewardConfig(base=base, max_length=max_length), out / "cache")
    embedder = Embedder(cache=out / "cache" / "embeddings.sqlite")
    with ConsoleProgress() as progress:
        for number, start in enumerate(range(0, len(pairs), PART)):
            place = out / f"features-{number:04d}.npz"
            if place.is_file():
                continue
            part = pairs[start : start + PART]
            replies = [Reply(pair["messages"], pair[side], str(pair["id"])) for pair in part for side in ("first", "second")]
            arrays: dict[str, Any] = {"embedding": embedder.embed([pair["prompt"] for pair in part]).vectors}
            for readout in ("last", "layers"):
                vectors = store.features(
                    replies,
                    readout=readout,
                    progress=lambda done, total, _tokens, start=start, part=part: progress.update(
                        2 * (start + len(part)) - total + done, 2 * len(pairs), "replies"
                    ),
                )
                arrays |= {f"{readout}_first": vectors[0::2], f"{readout}_second": vectors[1::2]}
            buffer = io.BytesIO()
            np.savez(buffer, **arrays)
            atomic.write_bytes(place, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
