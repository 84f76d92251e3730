"""Stage 2: best RM and gold RM over the whole pool; every pair gets a decision with a reason (spec 5).

The pool is worked on partition by partition on the table engine, so memory does not grow with it but for the ids that judges are asked
about; what a run that was cut off had finished is not done again.
"""

from __future__ import annotations

import heapq
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from goldsmith.curate.context import Context
from goldsmith.curate.decide import needs_judgement
from goldsmith.curate.evidence import NONE, Evidence, codes, from_margins
from goldsmith.curate.follows_length import LengthSums
from goldsmith.curate.gold import pairs_by_id
from goldsmith.curate.judging import Judged, judge_rows
from goldsmith.curate.partition import BINS, CLOSED, CURATED_SCHEMA, DECISION_SCHEMA, ROWS, decide_partition
from goldsmith.curate.rewards import closed_contexts
from goldsmith.curate.stack import Stack
from goldsmith.identity import digest
from goldsmith.store import PAIR_COLUMNS, Counts, Table, Workspace, atomic
from goldsmith.store.engine import Chunk, map_chunks
from goldsmith.store.tables import TableWriter

MODELS = {"best": "the best RM", "gold": "the gold RM"}
Opinion = tuple[str | None, float | None, str | None]
"""The judges' choice, their probability that `first` wins, people's label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsure:
    """Pairs whose label the best RM doubts: how many, and the ids of the least sure, at most as many as may be judged."""

    num: int = 0
    least_sure: list[str] = field(default_factory=list)


def decide_all(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `decisions` and `curated`."""
    workspace, config = context.workspace, context.config
    gold = workspace.table("gold").rows()
    human = {row["pair_id"]: row["label"] for row in gold}
    refused = _refused(context, gold)
    # Where no verdict can change a decision none is paid for.
    at_most = 0 if refused else config.judge.max_pairs_stage2
    unsure = find_unsure(workspace, human.keys(), config.curate.confident_above, at_most)
    pairs = pairs_by_id(context, unsure.least_sure)
    judged = judge_rows(context, fingerprint, [pairs[name] for name in unsure.least_sure], "stage2", at_most)
    opinions = opinions_of(judged, human)
    stack, joint, facts = _together(context, gold, opinions)
    results = decide_pool(
        workspace,
        fingerprint,
        opinions,
        closed_contexts(gold),
        stack,
        lambda done, total: context.progress.update(done, total, "pairs"),
        joint=joint,
        gold_stands=refused is None,
    )
    counts = _commit(workspace, fingerprint, results, _brought(gold, workspace, human))
    statements = [*([refused] if refused else []), *facts.pop("statements", [])]
    facts |= _facts(results, counts)
    warnings = [one["warning"] for one in facts["follows_length"].values() if one["warning"]]
    facts["statements"] = list(dict.fromkeys([*statements, *warnings]))
    for text in facts["statements"]:
        context.progress.note(text)
    return facts | {"unsure": unsure.num, "judged": len(judged.choices), "replies": judged.replies}


def find_unsure(workspace: Workspace, human: Any, confident_above: float, at_most: int) -> Unsure:
    """Return the pairs that an LLM should judge, those nearest to even odds first: there a judgement can change most.

    Args:
        workspace: with `pool` and `scores_best`.
        human: ids of pairs that people labelled.
        confident_above: the best RM's p on the label above which none is asked.
        at_most: ids returned.
    """
    num, nearest = 0, list[tuple[float, str]]()
    scores = workspace.table("scores_best").batches(["first", "second"], batch_size=ROWS)
    for ids, label, best in _aligned(workspace.table("pool").batches(["pair_id", "label"], batch_size=ROWS), scores):
        empty = np.full(len(label), NONE, dtype=np.int8)
        known = Evidence(label=label, best=best, gold=best, judged=empty, judged_p=np.full(len(label), np.nan), human=empty)
        names = ids.to_pylist()
        places = [at for at in np.flatnonzero(needs_judgement(known, confident_above)).tolist() if names[at] not in human]
        num += len(places)
        if at_most:
            nearest = heapq.nsmallest(at_most, [*nearest, *((abs(float(best[at]) - 0.5), names[at]) for at in places)])
    return Unsure(num=num, least_sure=[name for _, name in nearest])


def opinions_of(judged: Judged, human: Mapping[str, str]) -> dict[str, Opinion]:
    """Return what judges and people said, by pair id; pairs of which nobody said anything are absent."""
    names = judged.choices.keys() | judged.p_first.keys() | human.keys()
    return {name: (judged.choices.get(name), judged.p_first.get(name), human.get(name)) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Finished partitions: their folder, and the counts each one returned, in the pool's order."""

    folder: Path
    counts: list[dict[str, Any]]

    def summed(self, name: str) -> dict[str, int]:
        """Return one of the tallies over all partitions."""
        total: Counter[str] = Counter()
        for count in self.counts:
            total.update(count[name])
        return dict(total)


def decide_pool(
    workspace: Workspace,
    fingerprint: str,
    opinions: Mapping[str, Opinion],
    closed: set[str],
    stack: Stack | None,
    progress: Any = None,
    *,
    joint: Path | None = None,
    gold_stands: bool = True,
) -> Results:
    """Decide every pair of the pool on the table engine; partitions that an earlier call finished are not done again.

    Args:
        workspace: with `pool`, `scores_best` and `scores_gold`, the scores in the pool's order.
        fingerprint: names inputs and rules.
        opinions: of judges and people, by pair id.
        closed: contexts of gold validation and audit.
        stack: for the rules `stack` and `joint`; None: there is none.
        progress: called with (pairs done, pairs in all).
        joint: file of the joint estimate's rewards, in the pool's order; the stack then reads these in the best RM's place.
        gold_stands: as for `decide`.

    Raises:
        DataError: the scores are not of this pool, in its order.
    """
    shared = {
        "config": workspace.config.curate.model_dump(mode="json"),
        "stack": stack.to_dict() if stack else None,
        "closed": sorted(closed),
        "gold_stands": gold_stands,
    }
    name = digest([fingerprint, shared, sorted((key, list(value)) for key, value in opinions.items())])
    folder = workspace.cache / "stage2" / name[:24]
    _only(folder)
    atomic.write_json(folder / "shared.json", shared)
    chunks = _chunks(workspace, folder, opinions, joint)
    done: dict[int, dict[str, Any]] = {chunk["number"]: found for chunk in chunks if (found := _finished(chunk)) is not None}
    total, so_far = sum(chunk["rows"] for chunk in chunks), sum(count["rows"] for count in done.values())
    for result in map_chunks(_numbered, [chunk for chunk in chunks if chunk["number"] not in done], workspace.config.engine):
        done[result["number"]] = result["counts"]
        so_far += result["counts"]["rows"]
        if progress:
            progress(so_far, total)
    return Results(folder=folder, counts=[done[number] for number in sorted(done)])


def _numbered(chunk: Chunk) -> Chunk:
    return {"number": chunk["number"], "counts": decide_partition(chunk)}


def _only(folder: Path) -> None:
    """Make the folder, and remove those of other inputs or rules."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _finished(chunk: Chunk) -> dict[str, Any] | None:
    place, name = Path(chunk["out"]), f"{chunk['number']:06d}"
    result = place / f"result-{name}.json"
    if not (result.is_file() and all((place / f"{kind}-{name}.parquet").is_file() for kind in ("decisions", "curated"))):
        return None
    return dict(json.loads(result.read_text(encoding="utf-8")))


def _chunks(workspace: Workspace, folder: Path, opinions: Mapping[str, Opinion], joint: Path | None) -> list[Chunk]:
    """Whole row groups of about `ROWS` rows, with a file of the opinions on their pairs beside each."""
    scores = {name: [str(path) for path in workspace.table(f"scores_{name}").files()] for name in MODELS}
    scores |= {"joint": [str(joint)]} if joint else {}
    chunks: list[Chunk] = []
    start = 0
    for path in workspace.table("pool").files():
        for groups, rows in _row_groups(path):
            said = folder / f"opinions-{len(chunks):06d}.json"
            ids = pq.ParquetFile(path).read_row_groups(groups, columns=["pair_id"])["pair_id"].to_pylist() if opinions else []
            atomic.write_json(said, {name: opinions[name] for name in ids if name in opinions})
            chunks.append(
                {"number": len(chunks), "out": str(folder), "pool": str(path), "groups": groups, "start": start, "rows": rows,
                 "scores": scores, "opinions": str(said), "shared": str(folder / "shared.json")}
            )  # fmt: skip
            start += rows
    return chunks


def _row_groups(path: Path) -> Iterator[tuple[list[int], int]]:
    facts = pq.read_metadata(path)
    groups: list[int] = []
    rows = 0
    for group in range(facts.num_row_groups):
        groups.append(group)
        rows += facts.row_group(group).num_rows
        if rows >= ROWS:
            yield groups, rows
            groups, rows = [], 0
    if groups:
        yield groups, rows


def _aligned(pool: Iterator[pa.RecordBatch], scores: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.Array, Any, Any]]:
    """Pool batches with the best RM's probabilities of the same rows, although the batches of the two tables end elsewhere."""
    held = np.empty(0)
    for batch in pool:
        while len(held) < batch.num_rows:
            part = next(scores)
            held = np.concatenate([held, part.column(0).to_numpy() - part.column(1).to_numpy()])
        yield batch.column(0), codes(batch.column(1).to_pylist()), from_margins(held[: batch.num_rows])
        held = held[batch.num_rows :]


def _together(
    context: Context, gold: Sequence[dict[str, Any]], opinions: Mapping[str, Opinion]
) -> tuple[Stack | None, Path | None, dict[str, Any]]:
    """What joins everything into one probability, where the rule asks for it, the file of its rewards, and what is to be said of it."""
    from goldsmith.curate.gold_checks import fit_checked
    from goldsmith.curate.gold_evidence import gold_evidence
    from goldsmith.curate.joint_pool import joint_of_pool

    rule = context.config.curate.keep_rule
    if rule == "joint":
        return joint_of_pool(context, gold, opinions)
    if rule != "stack":
        return None, None, {}
    checked = fit_checked(gold_evidence(context, gold), context.seed)
    stack = checked.fitted.stack if checked.fitted else None
    return stack, None, {"stack": checked.facts, "statements": checked.statements}


def _refused(context: Context, gold: Sequence[dict[str, Any]]) -> str | None:
    """Why the rules `article` and `paper` leave every label as it came; None where they need not, and under the other rules."""
    from goldsmith.curate.gold_checks import gold_rm_refusal
    from goldsmith.curate.gold_evidence import gold_evidence

    if context.config.curate.keep_rule in ("stack", "joint"):
        return None
    refused = gold_rm_refusal(gold_evidence(context, gold))
    return f"{refused}; every label stays as it came" if refused else None


def _brought(gold: Sequence[dict[str, Any]], workspace: Workspace, human: Mapping[str, str]) -> list[dict[str, Any]]:
    """Gold pairs that are not in the pool: what recorded votes brought along."""
    outside = set(human)
    for batch in workspace.table("pool").batches(["pair_id"], batch_size=ROWS):
        outside.difference_update(batch.column(0).to_pylist())
    return [row for row in gold if row["pair_id"] in outside]


def _commit(workspace: Workspace, fingerprint: str, results: Results, brought: Sequence[dict[str, Any]]) -> Counts:
    """Make the tables of the finished partitions; the curated set also gets gold train that the pool did not hold."""
    dropped: Counter[str] = Counter(results.summed("dropped"))
    rows = []
    for row in brought:
        if row["split"] != "train":
            dropped[CLOSED] += 1
        elif row["label"] == "tie":
            dropped["people call it a tie"] += 1
        else:
            rows.append({**{name: row[name] for name in PAIR_COLUMNS}, "action": "keep"})
    num_pool, kept = (sum(count[name] for count in results.counts) for name in ("rows", "kept"))
    with workspace.writer("decisions", step="stage2", fingerprint=fingerprint) as out:
        _take(out, results.folder, "decisions", DECISION_SCHEMA)
    with workspace.writer("curated", step="stage2", fingerprint=fingerprint) as out:
        if rows:
            out.write_rows(rows, CURATED_SCHEMA)
        _take(out, results.folder, "curated", CURATED_SCHEMA)
        out.counts = Counts(total=num_pool + len(brought), kept=kept + len(rows), dropped=dict(dropped))
    shutil.rmtree(results.folder, ignore_errors=True)
    return out.counts


def _take(writer: TableWriter, folder: Path, kind: str, schema: pa.Schema) -> None:
    """Give finished parts to a table. They stay in the folder too, until both tables are committed, so that a kill loses none."""
    parts = sorted(folder.glob(f"{kind}-*.parquet"))
    if not parts and not any(writer.directory.glob("*.parquet")):
        writer.write(schema.empty_table())
    for path in parts:
        with atomic.explained(writer.directory):
            target = writer.directory / f"part-{path.stem}.parquet"
            try:
                os.link(path, target)
            except OSError:  # a file system without hard links
                shutil.copyfile(path, target)


def _facts(results: Results, counts: Counts) -> dict[str, Any]:
    histogram = np.sum([count["histogram"] for count in results.counts], axis=0) if results.counts else np.zeros(BINS)
    lengths = {name: LengthSums.total(count["length"][name] for count in results.counts) for name in MODELS}
    return {
        **{name: results.summed(name) for name in ("by_action", "by_rule", "by_reason")},
        "counts": counts.model_dump(),
        "p_histogram": {"edges": np.linspace(0.0, 1.0, BINS + 1).tolist(), "pool": histogram.astype(int).tolist()},
        "follows_length": {
            name: {"share": sums.share, "correlation": sums.correlation, "warning": sums.warning(MODELS[name])}
            for name, sums in lengths.items()
        },
    }


__all__ = ["Table", "decide_all", "decide_pool", "find_unsure", "opinions_of"]
