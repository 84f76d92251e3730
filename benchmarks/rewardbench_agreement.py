"""Do Goldsmith and the `rewardbench` package decide alike? The same reward model, the same pairs, and the rules of both on the same numbers.

    python benchmarks/rewardbench_agreement.py --check           100 short pairs with the embedded model and a random head
    python benchmarks/rewardbench_agreement.py --full            400 pairs
    python benchmarks/rewardbench_agreement.py --model FOLDER    a checkpoint of yours

The package gets an environment of its own below --work, made with pip at the first run. Pairs are drawn by hash from the seven benchmarks'
files below GOLDSMITH_DATA, those with an empty reply or two identical ones first. Each pair on which the two decide differently
is printed with both margins, and must be explained: by two identical replies, or by a margin below what float32 tells apart in a padded batch.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import find_suite
from goldsmith.evaluate.items import read_items
from goldsmith.identity import unit_interval
from goldsmith.reward.checkpoint import locate
from goldsmith.reward.render import Renderer
from rewardbench_parts.older import for_transformers_4
from rewardbench_parts.rules import made_up, rules
from speed.data import data_folder, renderer_of
from speed.race import reward_model
from speed.table import Figure, show

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "0.1.4"
PINS = (
    f"rewardbench=={PACKAGE}", "fschat==0.2.36", "transformers==4.51.0", "tokenizers==0.21.4", "huggingface_hub==0.36.2", "accelerate==1.15.0", "trl==0.19.1",
    "datasets==5.0.1", "wandb==0.31.0", "setuptools==79.0.1", "sentencepiece==0.2.3", "protobuf==7.36.2",
)  # fmt: skip
"""What the package asks for, and what else it imports; it and fschat come without their own dependencies, of which scoring needs none more."""
ALONE = 2
MAX_LENGTH, BATCH, SEED, SHORT = 2048, 8, 0, 160
CHECK_PAIRS, FULL_PAIRS, ODD_PAIRS = 100, 400, 10
NOISE = 1e-4
"""Margins below this, times max(1, |score|), are not told apart: padding changes the order of float32 sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A pair of the sample."""

    name: str
    item: Item
    better: int
    worse: int

    @property
    def replies(self) -> tuple[str, str]:
        return self.item.replies[self.better], self.item.replies[self.worse]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="a fixed sample (the default)")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--pairs", type=int, help="size of the sample")
    parser.add_argument("--tokens", type=int, default=SHORT, help="of a conversation at most; odd pairs may have twice as many")
    parser.add_argument("--model", type=Path, help="a checkpoint with one label; default: the embedded model with a random head")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "rewardbench_agreement")
    parser.add_argument(
        "--python", type=Path, help="Python of an environment that holds the package; default: one is made below --work"
    )
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = arguments.python or environment(work / "environment")
    base = str(arguments.model or "embedded")
    length = min(MAX_LENGTH, AutoConfig.from_pretrained(locate(base)).max_position_embeddings)
    renderer = renderer_of(base, length)
    model = arguments.model or reward_model(work, renderer.pad_id)
    drawn = sample(renderer, arguments.pairs or (FULL_PAIRS if arguments.full else CHECK_PAIRS), arguments.tokens)
    cases = made_up(random.Random(SEED))
    theirs, told = ask_package(python, work, model, drawn, cases, length)
    ours = ask_goldsmith(work, model, drawn, length)
    return show([*decisions(drawn, ours, theirs), *rules(cases, told)])


def environment(folder: Path) -> Path:
    """Make the package's environment, once, and return its Python."""
    python, made = folder / "bin" / "python", folder / "made.json"
    pins = [*PINS, f"torch=={version('torch')}"]
    if not made.is_file() or json.loads(made.read_text(encoding="utf-8")) != pins:
        print(f"making the environment of rewardbench {PACKAGE} in {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--no-deps", *pins[:ALONE]], check=True)
        subprocess.run([*install, *pins[ALONE:]], check=True)
        made.write_text(json.dumps(pins), encoding="utf-8")
    return python


def sample(renderer: Renderer, count: int, most_tokens: int) -> list[Drawn]:
    """Pairs of the seven benchmarks, drawn by hash: some odd ones first, then short ones, as many of each benchmark as can be."""
    odd: list[Drawn] = []
    by_set: dict[str, list[Drawn]] = {}
    for data in find_suite(data_folder()).data:
        if data.benchmark is None or not data.benchmark.is_core:
            continue
        for item in data.items():
            for pair in item.comparisons[:1]:
                found = Drawn(name=f"{item.benchmark} {item.item_id}", item=item, better=pair[0], worse=pair[1])
                is_odd = found.replies[0] == found.replies[1] or not all(reply.strip() for reply in found.replies)
                (odd if is_odd else by_set.setdefault(item.benchmark, [])).append(found)
    ranked = {name: iter(sorted(pairs, key=_drawing)) for name, pairs in by_set.items()}
    chosen = [pair for pair in sorted(odd, key=_drawing) if _is_short(renderer, pair, 2 * most_tokens)][: min(ODD_PAIRS, count)]
    while ranked and len(chosen) < count:
        for name in list(ranked):
            pair = next((pair for pair in ranked[name] if _is_short(renderer, pair, most_tokens)), None)
            if pair is None:
                del ranked[name]
            elif len(chosen) < count:
                chosen.append(pair)
    return chosen


def _drawing(pair: Drawn) -> float:
    return unit_interval(pair.name, SEED)


def _is_short(renderer: Renderer, pair: Drawn, most_tokens: int) -> bool:
    """Whether both conversations fit; characters are looked at first, as rendering costs more."""
    turns = sum(len(str(turn["content"])) for turn in pair.item.context)
    if turns + max(map(len, pair.replies)) > 6 * most_tokens:
        return False
    renderer.allows_empty = True
    return all(len(renderer.render(pair.item.context, reply, where=pair.name).ids) <= most_tokens for reply in pair.replies)


def ask_package(python: Path, work: Path, model: Path, drawn: Sequence[Drawn], cases: dict[str, Any], length: int) -> tuple[list[list[float]], dict[str, Any]]:  # fmt: skip
    """Return the package's scores (chosen, rejected) of each pair, and what its rules make of the made-up cases."""
    pairs, answers, told = work / "pairs.json", work / "answers", work / "rules.json"
    rows = [
        {side: [*pair.item.context, {"role": "assistant", "content": reply}] for side, reply in zip(("chosen", "rejected"), pair.replies, strict=True)}
        for pair in drawn
    ]  # fmt: skip
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    copy = for_transformers_4(model, work / "model-4")
    job = {
        "pairs": str(pairs), "model": copy.name, "batch": BATCH, "max_length": length, "answers": str(answers), "rules": cases, "rules_told": str(told),
    }  # fmt: skip
    (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
    script = ROOT / "benchmarks" / "rewardbench_parts" / "package.py"
    # A relative name: the package puts the model's name into the name of its file of scores.
    offline = {
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_DATASETS_CACHE": str(work / "cache"),
    }
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [str(python), str(script), str(work / "job.json")], check=True, cwd=work, env=kept | offline, stdout=sys.stderr
    )
    lines = (answers / f"{copy.name}_outputs.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert len(found) == len(drawn)
    return [[row["scores_chosen"], row["scores_rejected"]] for row in found], json.loads(told.read_text(encoding="utf-8"))


def ask_goldsmith(work: Path, model: Path, drawn: Sequence[Drawn], length: int) -> list[list[float]]:
    """Return Goldsmith's scores (chosen, rejected) of each pair by `goldsmith eval`, in the layout of RMB, which has room for any context."""
    folder, out = work / "suite", work / "evaluation"
    folder.mkdir(exist_ok=True)
    rows = [
        {
            "pair_uid": str(place), "conversation_input": pair.item.context, "category_path": "Pairwise_set/Helpfulness/Agreement",
            "chosen": {"llm_name": "", "answer": pair.replies[0]}, "reject": {"llm_name": "", "answer": pair.replies[1]},
        }
        for place, pair in enumerate(drawn)
    ]  # fmt: skip
    (folder / "pairs.json").write_text(json.dumps(rows), encoding="utf-8")
    command = [sys.executable, "-m", "goldsmith", "eval", "--no-report", f"model={model}", "--benchmark", f"rmb={folder / 'pairs.json'}", "--max-length", str(length), "--out", str(out)]  # fmt: skip
    subprocess.run(command, check=True, stdout=sys.stderr)
    records = {record.item_id: record for record in read_items(out / "models" / "model")}
    found = []
    for place in range(len(drawn)):
        scores = records[f"pair/{place}"].scores
        assert None not in scores
        found.append([float(score) for score in scores if score is not None])
    return found


def decisions(drawn: Sequence[Drawn], ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> list[Figure]:
    """Return how many decisions agree; each that does not is printed with what explains it, or that nothing does."""
    apart, agree, unexplained = 0.0, 0, 0
    for pair, mine, other in zip(drawn, ours, theirs, strict=True):
        size = max(1.0, *map(abs, other))
        apart = max(apart, *(abs(one - two) / size for one, two in zip(mine, other, strict=True)))
        if (mine[0] > mine[1]) == (other[0] > other[1]):
            agree += 1
            continue
        same = pair.replies[0] == pair.replies[1]
        margins = mine[0] - mine[1], other[0] - other[1]
        explained = same or all(abs(margin) <= NOISE * size for margin in margins)
        unexplained += not explained
        why = "two identical replies" if same else "a margin below float32's noise" if explained else "NOT EXPLAINED"
        print(f"  differs: {pair.name}: margin {margins[0]:.3g} by Goldsmith, {margins[1]:.3g} by rewardbench: {why}")
    ties = sum(one == two for one, two in ours)
    return [
        Figure("decisions: pairs", len(drawn), None, "", note=f"of {len({pair.item.benchmark for pair in drawn})} benchmarks; {ties} equal scores by Goldsmith"),
        Figure("decisions: alike", agree, None, "", note=f"{len(drawn) - agree} others are listed above"),
        Figure("decisions: different and not explained", unexplained, 0, "", at_most=True),
        Figure("scores apart", apart, NOISE, "", at_most=True, note="times max(1, |score|)"),
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
