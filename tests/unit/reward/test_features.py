from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from goldsmith.config.reward import RewardConfig
from goldsmith.errors import StoreError
from goldsmith.models import is_converted
from goldsmith.reward.features import MEAN_DEPTHS, FeatureStore
from goldsmith.reward.grouping import Reply

CONTEXTS = [[{"role": "user", "content": text}] for text in ("What is 2+2?", "Write a long poem about the sea, please.", "hi")]
REPLIES = [
    Reply(CONTEXTS[0], "4"),
    Reply(CONTEXTS[0], "It is four, " + "I think " * 12),
    Reply(CONTEXTS[0], "5"),
    Reply(CONTEXTS[1], "The sea. " * 9),
    Reply(CONTEXTS[2], "Hello!"),
    Reply(CONTEXTS[0], "4"),
]


def _plain(store: FeatureStore, reply: Reply, readout: str) -> np.ndarray:
    """The same vector from a single unpadded forward pass."""
    item = store.renderer.render(reply.context, reply.content)
    with torch.inference_mode():
        states = store.backbone.trunk(torch.tensor([item.ids]), output_hidden_states=True).hidden_states
    if readout == "last":
        return states[-1][0, -1].numpy()
    depth = len(states) - 1
    return np.concatenate([states[round(share * depth)][0, item.reply_start :].mean(0).numpy() for share in MEAN_DEPTHS])


@pytest.mark.parametrize("readout", ["last", "layers"])
def test_features_equal_single_unpadded_passes(store: FeatureStore, readout):
    found = store.features(REPLIES, readout=readout)
    assert found.dtype == np.float32
    assert found.shape == (6, store.width(readout))
    for reply, vector in zip(REPLIES, found, strict=True):
        np.testing.assert_allclose(vector, _plain(store, reply, readout), atol=1e-5)


def test_a_second_call_computes_nothing(store: FeatureStore, monkeypatch):
    before = store.features(REPLIES)
    again = FeatureStore(store.config, store.cache)
    monkeypatch.setattr(again, "_forward", lambda groups: pytest.fail("computed again"))
    np.testing.assert_array_equal(again.features(REPLIES), before)
    np.testing.assert_array_equal(again.features(REPLIES[::-1], readout="last"), store.features(REPLIES, readout="last")[::-1])


def test_each_conversation_is_computed_once_and_progress_counts_them(store: FeatureStore):
    seen = []
    store.features(REPLIES, progress=lambda done, total, tokens: seen.append((done, total, tokens)))
    lengths = [store.renderer.render(reply.context, reply.content) for reply in REPLIES[:5]]
    shared = lengths[0].reply_start * 2  # three replies share the first context: it is computed once, not three times
    assert seen[-1] == (5, 5, sum(len(item.ids) for item in lengths) - shared)


def test_a_killed_run_goes_on_and_batches_as_an_unbroken_one(store: FeatureStore, tmp_path: Path, monkeypatch):
    small = store.config.model_copy(update={"token_budget": 64})
    whole = FeatureStore(small, None).features(REPLIES)
    killed = FeatureStore(small, tmp_path / "other")
    monkeypatch.setattr("goldsmith.reward.features.COMMIT_SECONDS", 0.0)
    forward, calls = killed._forward, []

    def stop_at_second(groups):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return forward(groups)

    monkeypatch.setattr(killed, "_forward", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        killed.features(REPLIES)
    assert len(list(killed.folder.glob("*.npz"))) == 1
    counts = []
    found = FeatureStore(small, tmp_path / "other").features(REPLIES, progress=lambda done, total, _: counts.append(total))
    assert 0 < counts[0] < 5
    np.testing.assert_array_equal(found, whole)


def test_another_length_is_another_cache(store: FeatureStore):
    other = FeatureStore(store.config.model_copy(update={"max_length": 64}), store.cache)
    assert other.folder != store.folder


@pytest.mark.parametrize("damage", ["no zip", "cut", "empty", "a changed byte"])
def test_a_broken_shard_is_named(store: FeatureStore, damage: str):
    store.features(REPLIES[:1])
    shard = next(store.folder.glob("*.npz"))
    data = shard.read_bytes()
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    shard.write_bytes({"no zip": b"not a zip", "cut": data[:middle], "empty": b"", "a changed byte": changed}[damage])
    with pytest.raises(StoreError, match="delete it and run again"):
        FeatureStore(store.config, store.cache).features(REPLIES[:1])


def test_no_replies(store: FeatureStore):
    assert store.features([]).shape == (0, store.width("layers"))


@pytest.mark.skipif(not is_converted(), reason="the embedded model is not converted; `goldsmith models install` does it")
def test_the_embedded_model_gives_the_same_features_shared_or_not():
    store = FeatureStore(RewardConfig(dtype="float32"), None)
    for reply, vector in zip(REPLIES[:4], store.features(REPLIES[:4], readout="last"), strict=True):
        np.testing.assert_allclose(vector, _plain(store, reply, "last"), atol=1e-4)
