"""Tokens and attended pairs by hand."""

import gzip
import json

import pytest

from goldsmith.errors import UserError
from goldsmith.train.estimate.tokens import bytes_per_token
from goldsmith.train.estimate.workload import (
    TEMPLATE_TOKENS,
    PairLength,
    assumed_workload,
    attended,
    file_workload,
    pair_length,
)
from goldsmith.types import Pair


def test_attended_pairs_by_hand():
    length = PairLength(context=2, chosen=1, rejected=2)
    # Each alone: 3 tokens see 1 + 2 + 3 = 6, 4 tokens 1 + 2 + 3 + 4 = 10.
    assert attended(length, share=False) == 16
    # Shared: the context 1 + 2, the first reply 3, the second 3 + 4.
    assert attended(length, share=True) == 13
    assert (length.separate, length.shared) == (7, 5)


def test_sharing_nothing_changes_nothing():
    length = PairLength(context=0, chosen=5, rejected=7)
    assert attended(length, share=True) == attended(length, share=False) == 15 + 28


def test_an_assumed_pool_is_its_mean_pair_many_times():
    work = assumed_workload(10, 400, 1000)
    assert work.mean == PairLength(context=100, chosen=100, rejected=100)
    assert work.longest == PairLength(context=500, chosen=500, rejected=500)
    assert (work.separate, work.shared) == (4000, 3000)
    assert work.attended_separate == 10 * 2 * (200 * 201 // 2)
    with pytest.raises(UserError, match="--tokens-per-pair 2001 is more than two conversations of 1000"):
        assumed_workload(10, 2001, 1000)


def _pair(context, chosen, rejected):
    return Pair.from_replies([{"role": "user", "content": context}], chosen, rejected)


def test_bytes_become_tokens_and_long_conversations_are_cut():
    # 40 bytes at 4 a token, and what the template adds.
    length, cut = pair_length(_pair("x" * 40, "y" * 8, "é" * 8), 4.0, 1000)
    assert length == PairLength(context=10 + TEMPLATE_TOKENS, chosen=2 + TEMPLATE_TOKENS, rejected=4 + TEMPLATE_TOKENS)
    assert cut == 0
    length, cut = pair_length(_pair("x" * 400, "y" * 8, "z" * 400), 4.0, 120)
    assert cut == 1  # 105 + 7 tokens fit, 105 + 105 do not
    assert max(length.context + length.chosen, length.context + length.rejected) == 120
    length, cut = pair_length(_pair("x", "y" * 4000, "z" * 8000), 4.0, 100)
    assert (cut, length.context) == (2, 1)
    assert length.chosen == length.rejected == 99


def _write(path, rows):
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return path


def test_a_file_is_summed_and_left_out_rows_are_counted(tmp_path):
    rows = [
        {"prompt": "p" * 20, "chosen": "c" * 12, "rejected": "r" * 4},
        {"prompt": "p" * 40, "chosen": "c" * 20, "rejected": "r" * 8},
        {"prompt": "p" * 20, "chosen": "same", "rejected": "same"},
    ]
    work = file_workload(_write(tmp_path / "pairs.jsonl.gz", rows), 1000, max_pairs=None, base="no/tokenizer", max_line_mb=1)
    # Tokens: contexts 10 and 15, replies 8 + 6 and 10 + 7.
    assert (work.pairs, work.left_out) == (2, 1)
    assert work.shared == 25 + 14 + 17
    assert work.separate == 2 * 25 + 14 + 17
    assert work.longest == PairLength(context=15, chosen=10, rejected=7)
    assert "4.0 bytes a token, assumed" in work.source
    half = file_workload(tmp_path / "pairs.jsonl.gz", 1000, max_pairs=1, base="no/tokenizer", max_line_mb=1)
    assert (half.pairs, half.shared) == (1, 28)


def test_a_file_without_pairs_is_refused(tmp_path):
    path = _write(tmp_path / "pairs.jsonl.gz", [{"prompt": "p", "chosen": "same", "rejected": "same"}])
    with pytest.raises(UserError, match="no pair with a preferred reply"):
        file_workload(path, 1000, max_pairs=None, base="no/tokenizer", max_line_mb=1)


def test_a_tokenizer_at_hand_tells_the_bytes_of_a_token(tmp_path):
    from goldsmith.reward.tiny import write_tiny_model

    folder = write_tiny_model(tmp_path / "tiny", seed=0)
    path = _write(tmp_path / "pairs.jsonl.gz", [{"prompt": "question", "chosen": "some answer", "rejected": "another"}])
    assert bytes_per_token(str(folder), path, 1) == 1.0  # its tokens are bytes
    assert bytes_per_token("no/tokenizer", path, 1) is None
