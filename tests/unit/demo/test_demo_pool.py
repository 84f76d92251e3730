"""The committed demo data: what it promises about counts, flips, votes and size, and its checkers by hand-made replies."""

import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goldsmith.types import Pair, Vote

DEMO = Path(__file__).parents[3] / "demo"
sys.path.insert(0, str(DEMO))

import checkers  # noqa: E402
import prompts  # noqa: E402
import run_code  # noqa: E402

SEED = 0
Rows = list[dict[str, Any]]


def rows_of(name: str) -> Rows:
    return [json.loads(line) for line in gzip.decompress((DEMO / name).read_bytes()).decode("utf-8").splitlines()]


def pair_of(row: dict[str, Any]) -> Pair:
    return Pair.from_replies(row["prompt"], row["chosen"], row["rejected"])


@pytest.fixture(scope="module")
def pool() -> Rows:
    return rows_of("pool.jsonl.gz")


@pytest.fixture(scope="module")
def heldout() -> Rows:
    return rows_of("heldout.jsonl.gz")


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows_of("truth.jsonl.gz")}


def test_sizes(pool: Rows, heldout: Rows) -> None:
    assert sum(path.stat().st_size for path in DEMO.glob("*.gz")) <= 3_000_000
    assert 1600 <= len(pool) <= 1800
    assert 250 <= len(heldout) <= 350
    for rows, most in ((pool, 1700), (heldout, 450)):
        replies = {(row["meta"]["prompt"], reply) for row in rows for reply in (row["chosen"], row["rejected"])}
        assert len(replies) <= most


def test_rows_are_sound_and_unique(pool: Rows, heldout: Rows) -> None:
    rows = [*pool, *heldout]
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({pair_of(row).pair_id for row in rows}) == len(rows)
    for row in rows:
        assert row["chosen"].strip()
        assert row["rejected"].strip()
        assert row["chosen"] != row["rejected"]
        assert row["label_source"] == "checker"
        assert row["prompt"][-1]["role"] == "user"
    several = sum(len(row["prompt"]) > 1 for row in pool)
    assert several >= 0.15 * len(pool)


def test_heldout_prompts_are_other_prompts(pool: Rows, heldout: Rows) -> None:
    assert not {pair_of(row).context_id for row in pool} & {pair_of(row).context_id for row in heldout}


def test_thirty_percent_are_flipped_half_of_them_towards_length(pool: Rows, truth: dict[str, dict[str, Any]]) -> None:
    assert set(truth) == {row["id"] for row in pool}
    kinds: Counter[str | None] = Counter()
    for row in pool:
        clean = truth[row["id"]]
        pair = pair_of(row)
        assert clean["pair_id"] == pair.pair_id
        assert (pair.label != clean["label"]) == (clean["flipped"] is not None)
        kinds[clean["flipped"]] += 1
        if clean["flipped"] == "longer":
            assert len(row["chosen"]) > len(row["rejected"])
    assert kinds["random"] + kinds["longer"] == round(0.3 * len(pool))
    assert abs(kinds["random"] - kinds["longer"]) <= 1


def test_checkers_give_the_clean_labels(pool: Rows, heldout: Rows, truth: dict[str, dict[str, Any]]) -> None:
    known = {prompt.key: prompt for prompt in prompts.all_prompts(SEED)}
    for row in [*pool, *heldout]:
        prompt = known[row["meta"]["prompt"]]
        assert prompt.messages == row["prompt"]
        assert prompt.category == row["meta"]["category"]
        if prompt.category == "code":
            continue  # runs a process for each reply; see the next test
        pair = pair_of(row)
        label = truth[row["id"]]["label"] if row["id"] in truth else pair.label
        right, wrong = (pair.first, pair.second) if label == "first" else (pair.second, pair.first)
        assert checkers.is_clear(prompt.check, str(right))
        assert checkers.is_clear(prompt.check, str(wrong))
        assert checkers.is_right(prompt.check, str(right)), (prompt.key, right)
        assert not checkers.is_right(prompt.check, str(wrong)), (prompt.key, wrong)


def test_code_of_some_heldout_replies_runs_as_labelled(heldout: Rows) -> None:
    known = {prompt.key: prompt for prompt in prompts.all_prompts(SEED)}
    for row in [row for row in heldout if row["meta"]["category"] == "code"][:6]:
        check = known[row["meta"]["prompt"]].check
        assert checkers.is_right(check, row["chosen"])
        assert not checkers.is_right(check, row["rejected"])


def test_votes_are_records_on_pairs_of_the_pool(pool: Rows, truth: dict[str, dict[str, Any]]) -> None:
    labels = {row["pair_id"]: row["label"] for row in truth.values()}
    votes = [Vote.model_validate(row) for row in rows_of("votes.jsonl.gz")]
    assert len({vote.vote_id for vote in votes}) == len(votes)
    by_pair: dict[str, list[Vote]] = {}
    for vote in votes:
        by_pair.setdefault(vote.pair_id, []).append(vote)
    assert set(by_pair) == set(labels)
    errors: Counter[str] = Counter()
    for name, given in by_pair.items():
        first = [vote for vote in given if vote.round == "first"]
        assert [vote.annotator for vote in first] == ["ann-1", "ann-2", "ann-3"]
        agreed = len({vote.choice for vote in first}) == 1 and first[0].choice != "discard"
        assert len(given) == (3 if agreed else 4)
        errors.update(vote.annotator for vote in given if vote.choice not in (labels[name], "tie", "discard"))
    # Binomial with the rates of demo/votes.py: within four standard deviations.
    for annotator, rate in (("ann-1", 0.02), ("ann-2", 0.045), ("ann-3", 0.085)):
        spread = (len(labels) * rate * (1 - rate)) ** 0.5
        assert abs(errors[annotator] - len(labels) * rate) < 4 * spread


def test_alpha_of_the_votes_is_that_of_fair_human_work(truth: dict[str, dict[str, Any]]) -> None:
    choices: dict[str, list[str]] = {}
    for row in rows_of("votes.jsonl.gz"):
        if row["round"] == "first":
            choices.setdefault(row["pair_id"], []).append(row["choice"])
    # Krippendorff's alpha, nominal, three values a unit: 1 - (n - 1) * sum of disagreeing pairs in units / those over all values.
    totals = Counter(choice for given in choices.values() for choice in given)
    num = totals.total()
    within = sum(sum(x != y for x in given for y in given) / (len(given) - 1) for given in choices.values())
    across = num * num - sum(count * count for count in totals.values())
    assert 0.75 <= 1 - (num - 1) * within / across <= 0.9


def test_prompts_are_a_function_of_the_seed() -> None:
    assert prompts.all_prompts(3) == prompts.all_prompts(3)
    assert prompts.all_prompts(3) != prompts.all_prompts(4)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ({"kind": "number", "value": 12}, "5 + 7 = 12.", "12 is not it, 13"),
        ({"kind": "fact", "accept": ["Rome"], "reject": ["Paris"]}, "It is Rome.", "Rome or Paris"),
        ({"kind": "fact", "accept": ["ice"], "reject": []}, "Ice!", "nice"),
        ({"kind": "symbol", "value": "Fe"}, "The symbol is Fe.", "It is FE or F"),
        ({"kind": "exact", "accept": ["lamp lamp"]}, "Lamp lamp.", "lamp"),
        ({"kind": "case", "case": "upper"}, "I AM 3!", "I am"),
        ({"kind": "starts", "text": "Now"}, "Now I go.", "I go Now"),
        ({"kind": "ends", "text": "Bye!"}, "So long. Bye!", "Bye! So long."),
        ({"kind": "word-count", "min": 2, "max": 3}, "one two", "one two three four"),
        ({"kind": "lines", "marker": "bullet", "num": 2}, "- a\n- b", "- a\nb"),
        ({"kind": "lines", "marker": "number", "num": 2}, "1. a\n2) b", "1. a"),
        ({"kind": "json", "keys": ["a"]}, '{"a": 1}', '{"a": 1, "b": 2}'),
        ({"kind": "json", "keys": ["a"]}, '{"a": 1}', 'Here: {"a": 1}'),
        ({"kind": "no-letter", "letter": "z"}, "a cat", "a Zoo"),
        ({"kind": "contains", "parts": ["cat", "dog"]}, "A Cat, a dog", "A cat"),
        ({"kind": "sentences", "num": 2}, "I go. You stay!", "I go."),
        ({"kind": "pattern", "pattern": "^(yes|no)$"}, "Yes", "Yes, I do"),
        ({"kind": "refusal", "wanted": True}, "I’m sorry, I can’t do that.", "Sure! First you take"),
        ({"kind": "refusal", "wanted": False, "topic": "egg"}, "Tap the egg.", "I cannot help with an egg."),
        ({"kind": "chinese", "share": 0.9}, "你好吗", "hello 你好"),
        ({"kind": "not", "check": {"kind": "ends", "text": "x"}}, "y", "x"),
    ],
)
def test_checks_by_hand(check: dict[str, Any], right: str, wrong: str) -> None:
    assert checkers.is_right(check, right)
    assert not checkers.is_right(check, wrong)
    assert not checkers.is_right(check, "  ")


def test_unclear_replies_are_told_apart() -> None:
    fact, harmful = {"kind": "fact", "accept": ["Oslo"], "reject": ["Rome"]}, {"kind": "refusal", "wanted": True}
    assert not checkers.is_clear(fact, "Oslo, not Rome.")
    assert checkers.is_clear(fact, "It is not Rome.")
    assert not checkers.is_clear(harmful, "That would be illegal.")
    assert checkers.is_clear(harmful, "I can't help with that, it is illegal.")
    assert not checkers.is_right(harmful, "I can't resist! First you take")


def test_code_runs_apart_and_cannot_claim_success() -> None:
    tests = [((2, 3), 5)]
    assert run_code.passes("Sure:\n```python\ndef add(a, b):\n    return a + b\n```\nDone.", "add", tests)
    assert not run_code.passes("def add(a, b):\n    return a - b", "add", tests)
    assert not run_code.passes("import os\nprint('ok')\nos._exit(0)", "add", tests)
    assert not run_code.passes("def even(n):\n    return 1", "even", [((2,), True)])
