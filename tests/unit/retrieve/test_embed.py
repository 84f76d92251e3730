from pathlib import Path

import numpy as np
import pytest

from goldsmith.errors import UserError
from goldsmith.retrieve.embed import Embedder


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder(cache=tmp_path_factory.mktemp("embed") / "vectors.sqlite")


def test_vectors_are_those_of_the_model_written_out(embedder: Embedder) -> None:
    # The reference does by hand what the model card says: BERT, mean over real tokens, unit length.
    import torch
    from transformers import AutoModel, AutoTokenizer

    from goldsmith.models.minilm import minilm_path

    texts = ["The capital of France is Paris.", "Write a poem about autumn leaves", "def add(a, b): return a + b"]
    tokenizer, model = AutoTokenizer.from_pretrained(minilm_path()), AutoModel.from_pretrained(minilm_path()).eval()
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (states * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=1).numpy()
    found = embedder.embed(texts)
    assert found.vectors.dtype == np.float32
    assert found.vectors.shape == (3, 384)
    np.testing.assert_allclose(found.vectors, expected, atol=2e-5)
    assert found.truncated == 0


def test_what_was_embedded_is_read_and_equal_texts_count_once(embedder: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    first = embedder.embed(["one text", "another text", "one text"], lambda done, total: seen.append((done, total)))
    assert seen == [(2, 2)]
    again = Embedder(cache=embedder.cache)
    again._encode = lambda texts: pytest.fail(f"asked for {texts}")  # type: ignore[method-assign]
    second = again.embed(["another text", "one text"])
    assert second.cached == 2
    np.testing.assert_array_equal(second.vectors, first.vectors[[1, 0]])
    np.testing.assert_array_equal(first.vectors[0], first.vectors[2])


def test_a_kill_costs_one_chunk_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldsmith.retrieve.embed.CHUNK", 2)
    cache = tmp_path / "v.sqlite"
    asked: list[list[str]] = []

    def embedder(fail_at: int) -> Embedder:
        made = Embedder(cache=cache)

        def encode(texts: list[str]) -> tuple[np.ndarray, list[bool]]:
            if len(asked) == fail_at:
                raise KeyboardInterrupt
            asked.append(texts)
            return np.array([[len(text), 1.0] for text in texts], dtype=np.float32), [False] * len(texts)

        made._encode = encode  # type: ignore[method-assign]
        return made

    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    with pytest.raises(KeyboardInterrupt):
        embedder(fail_at=2).embed(texts)
    found = embedder(fail_at=9).embed(texts)
    assert asked == [["a", "bb"], ["ccc", "dddd"], ["eeeee"]]
    assert found.cached == 4
    assert found.vectors[:, 0].tolist() == [1, 2, 3, 4, 5]


def test_texts_beyond_the_window_are_counted(embedder: Embedder) -> None:
    # 256 word pieces: 300 words are too many, 10 are not, and a novel is cut before it is tokenized.
    found = embedder.embed(["word " * 300, "word " * 10, "endless " * 200_000])
    assert found.truncated == 2


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).vectors.shape[0] == 0


def test_two_models_do_not_share_vectors(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(name)
    assert Embedder(str(tmp_path / "one")).digest != Embedder(str(tmp_path / "two")).digest


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"retrieve\.embedder"):
        Embedder(str(tmp_path)).embed(["text"])


def test_only_what_is_in_the_cache_is_known(embedder: Embedder, tmp_path: Path) -> None:
    vector = embedder.embed(["a text that is embedded"]).vectors[0]
    known = Embedder(cache=embedder.cache).known(["a text that is embedded", "a text that is not"])
    assert list(known) == ["a text that is embedded"]
    np.testing.assert_array_equal(known["a text that is embedded"], vector)
    absent = tmp_path / "none.sqlite"
    assert Embedder(cache=absent).known(["a text"]) == {}
    assert not absent.exists()
