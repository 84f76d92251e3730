"""Which pairs the experiment reads, in which order, from the folder of evaluation data; texts stay in memory.

The pool of AlpacaEval is split once, by hashes: `TEST_PROMPTS` of the prompts are held out, and so are `TEST_MODELS` of the models. Pool
pairs are of the other prompts and models, in turns: every prompt once before any comes twice, so that every prefix of the order is a pool
with as many prompts as there can be. Test pairs are of the held-out prompts and have a gap above `SURE_GAP`.
"""

from __future__ import annotations

import ast
import gzip
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldsmith.identity import unit_interval

SEED = 20
TEST_PROMPTS, TEST_MODELS = 0.3, 14
SURE_GAP = 3.0
"""GPT-4's label is taken for the truth of a test pair above this gap."""
TEST_TURNS = {"prompts": 5, "models": 2}
"""Test pairs of a held-out prompt at most: with both models known to the pool, and with a held-out model."""
RMB_EACH = 25
"""Pairs of an RMB category."""
STAGES = (
    "pool:500",
    "test",
    "pool:1000",
    "pool:1500",
    "pool:2000",
    "llmbar",
    "pool:2500",
    "pandalm",
    "pool:3000",
    "pool:3500",
    "autoj",
    "pool:4000",
    "pool:5000",
    "judgebench",
    "rmb",
    "pool:6500",
    "pool:8000",
    "pool",
)
"""What is computed first; a pool stage ends at that many pairs."""
LLMBAR = ("Natural", "GPTInst", "GPTOut", "Manual", "Neighbor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One pair with its text; `first` and `second` by a hash of its id, so that the order says nothing of the label."""

    group: str
    id: str
    messages: list[dict[str, str]]
    first: str
    second: str
    is_first: bool
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """The prompt's number: equal prompts have equal ones."""
        return f"{unit_interval(json.dumps(self.messages), SEED):.12f}"


def oriented(group: str, name: str, messages: list[dict[str, str]], chosen: str, rejected: str, **extra: Any) -> Source:
    """Return a pair with its sides by a hash; `extra.models` of (chosen, rejected) are turned with it."""
    is_first = unit_interval(f"side:{name}", SEED) < 0.5
    sides = (chosen, rejected) if is_first else (rejected, chosen)
    if "models" in extra and not is_first:
        extra["models"] = extra["models"][::-1]
    return Source(group=group, id=name, messages=messages, first=sides[0], second=sides[1], is_first=is_first, extra=extra)


def pool_and_test(rows: Iterable[dict[str, Any]], most: int) -> tuple[list[Source], list[Source]]:
    """Return pool pairs in their order, at most `most`, and test pairs."""
    rows = list(rows)
    prompts = sorted({row["prompt"][0]["content"] for row in rows}, key=lambda text: unit_interval(text, SEED))
    names = {name for row in rows for name in _models(row)}
    models = set(sorted(names, key=lambda name: unit_interval(f"model:{name}", SEED))[:TEST_MODELS])
    out = set(prompts[: round(TEST_PROMPTS * len(prompts))])
    turns: dict[tuple[str, str], int] = defaultdict(int)
    pool, test = [], []
    for row in sorted(rows, key=lambda row: unit_interval(str(row["id"]), SEED)):
        text, is_new = row["prompt"][0]["content"], not models.isdisjoint(_models(row))
        gap = float(row["meta"]["logit_gap"])
        pair = oriented(
            "pool",
            str(row["id"]),
            row["prompt"],
            row["chosen"],
            row["rejected"],
            gap=gap,
            models=_models(row),
            has_new_model=is_new,
        )
        kind = "models" if is_new else "prompts"
        if text in out and gap > SURE_GAP and turns[text, kind] < TEST_TURNS[kind]:
            turns[text, kind] += 1
            test.append(Source(**{**_fields(pair), "group": "test"}))
        elif text not in out and not is_new:
            pool.append((turns[text, "pool"], pair))
            turns[text, "pool"] += 1
    # Stable: within a turn the pairs stay in the order of their hashes.
    return [pair for _, pair in sorted(pool, key=lambda item: item[0])][:most], test


def _fields(pair: Source) -> dict[str, Any]:
    return {name: getattr(pair, name) for name in pair.__slots__}


def _models(row: dict[str, Any]) -> list[str]:
    return [row["meta"]["chosen_model"], row["meta"]["rejected_model"]]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        yield from (json.loads(line) for line in stream if line.strip())


def external(name: str, data: Path) -> list[Source]:
    """Return the pairs of an evaluation set, ties left out; empty where the folder has none."""
    return [pair for pair in READERS[name](data) if pair.first.strip() and pair.second.strip() and pair.first != pair.second]


def _pandalm(data: Path) -> Iterator[Source]:
    for row in lines(data / "humans_pandalm.jsonl.gz"):
        meta = row["meta"]
        # Verdicts name response 1 or 2; here they name `first` or `second` as 1 and 0, a tie as 0.5, nothing usable as None.
        right = 1 if meta["is_tie"] or meta["chosen_was"] == "response_1" else 2
        pair = oriented("pandalm", row["id"], row["prompt"], row["chosen"], row["rejected"], models=meta["cmp_key"].split("_"))

        def side(value: Any, right: int = right, is_first: bool = pair.is_first) -> float | None:
            return None if value not in (0, 1, 2) else 0.5 if value == 0 else float((value == right) == is_first)

        pair.extra.update(
            votes=[side(vote) for vote in meta["votes"]],
            judges={judge: side(found["verdict"]) for judge, found in meta["judges"].items()},
            is_tie=bool(meta["is_tie"]),
        )
        yield pair


def _autoj(data: Path) -> Iterator[Source]:
    for row in lines(data / "no_licence_stated" / "autoj_pairwise.jsonl.gz"):
        if not row["meta"]["is_tie"]:
            yield oriented("autoj", row["id"], row["prompt"], row["chosen"], row["rejected"])


def _llmbar(data: Path) -> Iterator[Source]:
    for row in lines(data / "llmbar" / "llmbar_canonical.jsonl.gz"):
        if row["meta"]["subset"].split("/")[-1] in LLMBAR:
            yield oriented("llmbar", row["id"], row["prompt"], row["chosen"], row["rejected"], category=row["meta"]["subset"])


def _judgebench(data: Path) -> Iterator[Source]:
    for path in sorted((data / "judgebench").glob("*.jsonl")):
        for row in lines(path):
            sides = [row["response_A"], row["response_B"]][:: 1 if row["label"] == "A>B" else -1]
            messages = [{"role": "user", "content": row["question"]}]
            yield oriented("judgebench", row["pair_id"], messages, *sides, category=row["source"].split("-")[0])


def _rmb(data: Path) -> Iterator[Source]:
    place = data / "no_licence_stated" / "RMB_dev.tar.gz"
    if not place.is_file():
        return
    with tarfile.open(place) as archive:
        for member in sorted((one for one in archive if "Pairwise_set" in one.name), key=lambda one: one.name):
            stream = archive.extractfile(member)
            if not member.name.endswith(".json") or stream is None:
                continue
            rows = json.load(stream)
            category = member.name.split("Pairwise_set/")[1].removesuffix(".json")
            for row in sorted(rows, key=lambda row: unit_interval(str(row["pair_uid"]), SEED))[:RMB_EACH]:
                turns, chosen, rejected = (_parsed(row[key]) for key in ("conversation_input", "chosen", "reject"))
                messages = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
                yield oriented(
                    "rmb", f"{category}/{row['pair_uid']}", messages, chosen["answer"], rejected["answer"], category=category
                )


def _parsed(value: Any) -> Any:
    return ast.literal_eval(value) if isinstance(value, str) else value


READERS = {"pandalm": _pandalm, "autoj": _autoj, "llmbar": _llmbar, "judgebench": _judgebench, "rmb": _rmb}
EXTERNAL = tuple(READERS)
