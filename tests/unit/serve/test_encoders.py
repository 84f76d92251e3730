"""Encoders are served as the library's own class scores them, whatever they are batched with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from goldsmith.errors import UserError
from goldsmith.reward.encoder import EncoderModel
from goldsmith.serve.engines.encoder_engine import batches
from tiny_encoder import write_tiny_encoder

QUESTION = "What is 2 + 2?"
REPLIES = ["4", "It is four, as two and two make four.", "x" * 60, "I do not know."]


def _expected(folder: Path, question: str, replies: list[str], **options: Any) -> list[float]:
    """The logits of transformers' own class on its own tokenizer's pairs, one at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        pairs = [tokenizer(question, reply, return_tensors="pt", **options) for reply in replies]
        return [float(model(**pair).logits[0, 0]) for pair in pairs]


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_scores_are_the_librarys_own(start: Any, tmp_path: Path, family: str) -> None:
    folder = write_tiny_encoder(tmp_path / family, family=family)
    server = start({family: folder})
    expected = _expected(folder, QUESTION, REPLIES)
    assert max(expected) - min(expected) > 0.01
    marked = "token_type_ids" in transformers.AutoTokenizer.from_pretrained(folder)(QUESTION, "4")
    assert marked == (family == "bert")
    together = server.post("/vllm/score", json={"text_1": QUESTION, "text_2": REPLIES}).json()["data"]
    assert [found["score"] for found in together] == pytest.approx(expected, abs=1e-5)
    for reply, score in zip(REPLIES, expected, strict=True):
        alone = server.post("/tei/predict", json={"inputs": [QUESTION, reply], "raw_scores": True})
        assert alone.json()[0]["score"] == pytest.approx(score, abs=1e-5)
        assert alone.headers["x-goldsmith-activation"] == "none"
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": REPLIES[1]}]
    own = server.post("/goldsmith/v1/score", json={"conversations": [turns]}).json()
    assert own["results"][0]["score"] == pytest.approx(expected[1], abs=1e-5)
    # Token ids are taken as they are.
    ids = transformers.AutoTokenizer.from_pretrained(folder)(QUESTION, REPLIES[1])["input_ids"]
    assert server.post("/classify", json={"input": ids}).json()["data"][0]["probs"] == [pytest.approx(expected[1], abs=1e-5)]


def test_one_text_is_read_as_one(start: Any, tmp_path: Path) -> None:
    folder = write_tiny_encoder(tmp_path / "bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = float(model(**tokenizer(QUESTION, return_tensors="pt")).logits[0, 0])
    found = start({"bert": folder}).post("/predict", json={"inputs": QUESTION}).json()
    assert found[0]["score"] == pytest.approx(expected, abs=1e-5)


def test_what_is_too_long_is_refused_or_cut_as_the_tokenizer_cuts_it(start: Any, tmp_path: Path) -> None:
    folder = write_tiny_encoder(tmp_path / "bert")
    server = start({"bert": folder})
    body = {"query": QUESTION, "texts": ["y" * 300]}
    refused = server.post("/tei/rerank", json=body)
    assert refused.status_code == 422
    assert "above the model's maximum of 100" in refused.json()["error"]
    expected = _expected(folder, QUESTION, ["y" * 300], truncation="longest_first", max_length=100)
    cut = server.post("/tei/rerank", json={**body, "truncate": True})
    assert cut.json()[0]["score"] == pytest.approx(expected[0], abs=1e-5)
    assert cut.headers["x-goldsmith-truncated"] == "1"


@pytest.mark.parametrize(
    ("context", "reply", "said"),
    [
        ([{"role": "user", "content": "a"}], "b [SEP] c", "special token"),
        ([{"role": "user", "content": "a [CLS]"}], "b", "special token"),
        ([{"role": "user", "content": "a"}], " ", "the reply is empty"),
        ([{"role": "user", "content": [{"type": "image"}]}], "b", "part of type 'image'"),
        ([{"role": "system", "content": "s"}, {"role": "user", "content": "a"}], "b", "one prompt and one reply"),
    ],
)
def test_what_an_encoder_cannot_read(start: Any, tmp_path: Path, context: Any, reply: str, said: str) -> None:
    server = start({"bert": write_tiny_encoder(tmp_path / "bert")})
    refused = server.post("/goldsmith/v1/rank", json={"context": context, "replies": [reply]})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "not-scorable"
    assert said in refused.json()["error"]["message"]


def test_several_labels_are_no_reward(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it has 3"):
        EncoderModel.load(write_tiny_encoder(tmp_path / "three", num_labels=3))


def test_batches_hold_one_length_and_stay_within_their_area() -> None:
    rows = [((1,) * length, row) for row, length in enumerate((100, 30, 90, 85, 32, 5))]
    # 80 % of 100 is 80, of 32 is 25.6; an area of 200 holds two of 100.
    assert [[row for _, row in batch] for batch in batches(rows, 200)] == [[0, 2], [3], [4, 1], [5]]
