"""The readers and the decontamination on real files: figures that data/README.md states, counted there by other code."""

from pathlib import Path

import pytest

from goldsmith.pool.audit import audit
from goldsmith.pool.benchmarks import benchmark_prompts
from goldsmith.pool.sources import Rejected, read_pairs, recognise
from goldsmith.pool.sources.recognise import read_drafts
from goldsmith.pool.words import normalised


@pytest.mark.parametrize(
    ("name", "formats", "pairs", "rejected"),
    [
        ("humans_pandalm.jsonl.gz", "canonical", 945, {"empty-reply": 54}),
        ("gsm8k_pairs.jsonl.gz", "canonical", 2429, {}),
        ("llmbar/Dataset", "llmbar", 1198, {"identical-replies": 1, "empty-reply": 1}),
        ("evalbiasbench/biasbench.json", "evalbiasbench", 80, {}),
        # Four of the five that differ before the last turn; see data/README.md.
        ("hh-rlhf/harmless-base/test.jsonl.gz", "hh-transcripts", None, {"differs-before-last-turn": 5}),
        ("rmbench", "rm-bench", (129 + 284) * 9, {}),
        ("judgebench", "judgebench", 249, {}),
    ],
)
def test_real_files_are_read(data_dir: Path, name: str, formats: str, pairs: int | None, rejected: dict[str, int]) -> None:
    assert recognise(data_dir / name).format == formats
    reasons: dict[str, int] = {}
    kept = 0
    for item in read_pairs(data_dir / name):
        if isinstance(item, Rejected):
            reasons[item.reason] = reasons.get(item.reason, 0) + 1
        else:
            kept += 1
    assert rejected.items() <= reasons.items()
    if pairs is not None:
        assert kept == pairs
        assert reasons == rejected


def test_the_archive_of_rmb_is_read_whole(data_dir: Path) -> None:
    path = data_dir / "no_licence_stated" / "RMB_dev.tar.gz"
    assert recognise(path).format == "rmb-best-of-n+rmb-pairwise"
    rows = {
        item.source_ref.split("#")[0] if not isinstance(item, Rejected) else f"{item.file}:{item.line}"
        for item in read_pairs(path)
    }
    assert sum("Pairwise_set" in row for row in rows) == 6102
    assert sum("BoN_set" in row for row in rows) == 1550


@pytest.fixture(scope="module")
def pool_prompts(data_dir: Path) -> list[bytes]:
    """The normalised prompt of each of the pool's 30,000 rows, read once."""
    texts = []
    for draft, _, _ in read_drafts(data_dir / "pool_alpacaeval.jsonl.gz"):
        assert not isinstance(draft, Rejected)
        texts.append(draft.context[0]["content"])
    known = {text: normalised(text) for text in set(texts)}
    return [known[text] for text in texts]


@pytest.mark.parametrize(
    ("name", "shared", "distinct"),
    [
        ("rmbench/chat_filtered.json", 129, 129),
        ("humans_pandalm.jsonl.gz", 169, 170),
        ("llmbar/Dataset", 68, 1067),
        ("evalbiasbench/biasbench.json", 0, 79),
        ("no_licence_stated/autoj_pairwise.jsonl.gz", 11, 581),
    ],
)
def test_shared_prompts_are_as_many_as_the_data_says(
    data_dir: Path, pool_prompts: list[bytes], name: str, shared: int, distinct: int
) -> None:
    prompts = {normalised(prompt.text) for prompt in benchmark_prompts([data_dir / name])}
    assert (len(prompts.intersection(pool_prompts)), len(prompts)) == (shared, distinct)


def test_5700_pairs_of_the_pool_sit_on_rm_bench_prompts(data_dir: Path, pool_prompts: list[bytes]) -> None:
    prompts = {normalised(prompt.text) for prompt in benchmark_prompts([data_dir / "rmbench" / "chat_filtered.json"])}
    assert sum(prompt in prompts for prompt in pool_prompts) == 5700


def test_the_audit_of_human_votes(data_dir: Path) -> None:
    found = audit(data_dir / "humans_pandalm.jsonl.gz", [data_dir / "evalbiasbench"])
    assert (found.rows, found.rejected, found.ties) == (999, {"empty-reply": 54}, 103)
    assert found.contaminated == {}
