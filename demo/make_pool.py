"""Makes the demo pool: samples replies of the embedded model, checks them, pairs right with wrong, flips labels, casts votes.

    python demo/make_pool.py --samples /some/where/samples.jsonl --minutes 15

The samples are kept, so a stopped run goes on; with `--minutes 0` the files are made from the samples that are there.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkers import is_clear, is_right
from prompts import Prompt, all_prompts
from sampling import Samples, sample_all
from votes import votes_on

from goldsmith.identity import unit_interval
from goldsmith.pool.words import words
from goldsmith.types import Pair

FLIPPED = 0.3
SPARE = 1.15
"""Held-out pairs are drawn with this much to spare, which balancing takes away again."""
REPLIES_OF_A_SIDE, PAIRS_OF_A_PROMPT = 3, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A pair with its clean label, the prompt it belongs to, and how its label was flipped (`random`, `longer`), if it was."""

    prompt: Prompt
    chosen: str
    rejected: str
    flip: str | None = None

    @property
    def replies(self) -> list[tuple[str, str]]:
        """Both replies, each with its prompt's key."""
        return [(self.prompt.key, self.chosen), (self.prompt.key, self.rejected)]

    @property
    def pair(self) -> Pair:
        """The pair under its clean label."""
        return Pair.from_replies(self.prompt.messages, self.chosen, self.rejected, label_origin="rule")


def pairs_of(prompt: Prompt, rows: Iterable[dict[str, Any]], seed: int) -> list[Made]:
    """Return the pairs of a prompt: right replies against wrong ones, a few of each, drawn by hash."""
    replies = sorted({row["reply"] for row in rows if row["reply"]}, key=lambda reply: unit_interval(prompt.key + reply, seed))
    replies = [reply for reply in replies if is_clear(prompt.check, reply)]
    right = [reply for reply in replies if is_right(prompt.check, reply)]
    wrong = [reply for reply in replies if reply not in right]
    made = [
        Made(prompt=prompt, chosen=chosen, rejected=rejected)
        for chosen in right[:REPLIES_OF_A_SIDE]
        for rejected in wrong[: max(REPLIES_OF_A_SIDE, 5 - len(right))]
    ]
    return sorted(made, key=lambda item: unit_interval(item.pair.pair_id, seed))[:PAIRS_OF_A_PROMPT]


def split(groups: Sequence[list[Made]], num_pool: int, num_heldout: int, seed: int) -> tuple[list[Made], list[Made]]:
    """Return the pool's and the held-out pairs: whole families of prompts, most categories in both; drawn and shuffled by hash."""
    share = num_heldout / (num_heldout + num_pool)
    by_category: dict[str, list[list[Made]]] = {}
    for family in sorted(families(groups), key=lambda family: unit_interval(family[0].prompt.key, seed + 1)):
        by_category.setdefault(family[0].prompt.category, []).append(family)
    pool: list[Made] = []
    heldout: list[Made] = []
    for same in by_category.values():
        wanted = SPARE * share * sum(map(len, same))
        taken = 0
        for family in same:
            is_out = len(same) > 1 and taken + len(family) <= wanted + 3
            taken += len(family) if is_out else 0
            (heldout if is_out else pool).extend(family)
    return _balanced(_shuffled(pool, seed), num_pool), _balanced(_shuffled(heldout, seed), num_heldout)


def families(groups: Sequence[list[Made]]) -> list[list[Made]]:
    """Return the pairs of prompts that decontamination would link: the same first turn, or 13 words of one in another's texts."""
    owners: dict[tuple[bytes, ...], set[int]] = {}
    for number, group in enumerate(groups):
        first = words(next(turn["content"] for turn in group[0].prompt.messages if turn["role"] == "user"))
        for gram in [tuple(first), *grams(first)]:
            owners.setdefault(gram, set()).add(number)
    family = list(range(len(groups)))

    def root(number: int) -> int:
        while family[number] != number:
            number = family[number]
        return number

    for number, group in enumerate(groups):
        texts = [turn["content"] for turn in group[0].prompt.messages] + [
            reply for made in group for reply in (made.chosen, made.rejected)
        ]
        first = words(next(turn["content"] for turn in group[0].prompt.messages if turn["role"] == "user"))
        for gram in [tuple(first), *(gram for text in texts for gram in grams(words(text)))]:
            for other in owners.get(gram, ()):
                family[root(number)] = root(other)
    members: dict[int, list[Made]] = {}
    for number, group in enumerate(groups):
        members.setdefault(root(number), []).extend(group)
    return list(members.values())


def grams(found: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Return every run of 13 words."""
    return [tuple(found[start : start + 13]) for start in range(len(found) - 12)]


def _balanced(made: list[Made], num: int) -> list[Made]:
    """Return `num` pairs in their order.

    What is left out comes from the more frequent of "right is longer" and "wrong is longer", first where it also saves a reply
    that no other pair uses: fewer replies are quicker to read.
    """
    made = list(made)
    uses = Counter(reply for m in made for reply in m.replies)
    while len(made) > num:
        wrong_longer = [m for m in made if len(m.rejected) > len(m.chosen)]
        right_longer = [m for m in made if len(m.rejected) < len(m.chosen)]
        larger = max(wrong_longer, right_longer, key=len)
        gone = max(larger, key=lambda m: sum(uses[reply] == 1 for reply in m.replies))
        made.remove(gone)
        uses.subtract(gone.replies)
    return made


def _shuffled(made: Iterable[Made], seed: int) -> list[Made]:
    return sorted(made, key=lambda item: unit_interval(item.pair.pair_id, seed + 2))


def flip_some(made: Sequence[Made], seed: int) -> list[Made]:
    """Return the pairs with 30 % marked as flipped: half towards the longer reply, half of the others at random."""
    num = round(FLIPPED * len(made))
    order = sorted(range(len(made)), key=lambda index: unit_interval(made[index].pair.pair_id, seed + 3))
    longer = [index for index in order if len(made[index].rejected) > len(made[index].chosen)][: num // 2]
    rest = [index for index in order[::-1] if index not in set(longer)][: num - len(longer)]
    how = {**dict.fromkeys(longer, "longer"), **dict.fromkeys(rest, "random")}
    return [Made(prompt=m.prompt, chosen=m.chosen, rejected=m.rejected, flip=how.get(i)) for i, m in enumerate(made)]


def row_of(made: Made, *, source: str) -> dict[str, Any]:
    """Return the pair as a row of the file: under its flipped label where it is flipped, without a word of that."""
    chosen, rejected = (made.rejected, made.chosen) if made.flip else (made.chosen, made.rejected)
    return {
        "id": f"{source}-{made.pair.pair_id[:12]}",
        "source": source,
        "prompt": made.prompt.messages,
        "chosen": chosen,
        "rejected": rejected,
        "label_source": "checker",
        "meta": {"category": made.prompt.category, "prompt": made.prompt.key},
    }


def truth_of(made: Made, *, source: str) -> dict[str, Any]:
    """Return the clean label of a row, and how it was flipped."""
    pair = made.pair
    return {"id": f"{source}-{pair.pair_id[:12]}", "pair_id": pair.pair_id, "label": pair.label, "flipped": made.flip}


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as gzipped JSON Lines; equal rows give equal bytes."""
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))


def describe(name: str, made: Sequence[Made]) -> None:
    """Print what is in a set of pairs, and how far "the longer reply wins" gets."""
    lengths = [(len(m.chosen), len(m.rejected), m.flip is not None) for m in made]
    clean = sum((c > r) + (c == r) / 2 for c, r, _ in lengths) / len(made)
    noisy = sum((c > r) != flip if c != r else 0.5 for c, r, flip in lengths) / len(made)
    replies = {reply for m in made for reply in m.replies}
    turns = sum(len(m.prompt.messages) > 1 for m in made)
    print(
        f"{name}: {len(made)} pairs, {len({m.prompt.key for m in made})} prompts, {len(replies)} replies, {turns} pairs of several turns"
    )
    print(
        f"  flipped {Counter(m.flip for m in made)}; the longer reply wins: {clean:.3f} of clean labels, {noisy:.3f} of the file's"
    )
    for category, num in sorted(Counter(m.prompt.category for m in made).items()):
        print(f"  {category:24s} {num:4d} pairs, {len({m.prompt.key for m in made if m.prompt.category == category}):3d} prompts")


def main() -> None:
    """Sample, check, pair, split, flip, vote, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True, help="file of sampled replies; made or extended")
    parser.add_argument("--minutes", type=float, default=15.0, help="time for sampling; 0: none")
    parser.add_argument("--most", type=int, default=9, help="samples of one prompt at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pool", type=int, default=1700, help="pairs in the pool")
    parser.add_argument("--heldout", type=int, default=300, help="held-out pairs, of other prompts")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()

    prompts = all_prompts(args.seed)
    if args.minutes > 0:
        samples = sample_all(prompts, args.samples, seed=args.seed, most=args.most, minutes=args.minutes)
    else:
        samples = Samples(args.samples)
    with ThreadPoolExecutor() as workers:
        found = workers.map(lambda prompt: pairs_of(prompt, samples.by_key.get(prompt.key, []), args.seed), prompts)
    pool, heldout = split([group for group in found if group], args.pool, args.heldout, args.seed)
    pool = flip_some(pool, args.seed)
    votes = [vote for m in pool for vote in votes_on(m.pair, m.pair.label, m.prompt.category, args.seed)]
    write(args.out / "pool.jsonl.gz", (row_of(m, source="demo") for m in pool))
    write(args.out / "truth.jsonl.gz", (truth_of(m, source="demo") for m in pool))
    write(args.out / "heldout.jsonl.gz", (row_of(m, source="demo-heldout") for m in heldout))
    write(args.out / "votes.jsonl.gz", (vote.model_dump(exclude_defaults=True) for vote in votes))
    describe("pool", pool)
    describe("held out", heldout)
    print(f"votes: {len(votes)}, {Counter(vote.round for vote in votes)}, {Counter(vote.choice for vote in votes)}")


if __name__ == "__main__":
    main()
