"""Sources asked about the hand-labelled pairs: one that knows, one that does not, one that fails."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldsmith.attributes.hand_labelled import load_hand_labelled
from goldsmith.attributes.measure import measure_sources, sample_for_llm, settings_for
from goldsmith.attributes.quality import Quality
from goldsmith.attributes.taxonomy import Taxonomy, load_taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm import LlmGroup
from goldsmith.llm.mock import Reply, Script, ScriptedServer
from goldsmith.retrieve.embed import Embedded

TAXONOMY = load_taxonomy()
ITEMS = load_hand_labelled()


class WordEmbedder:
    """Texts as bags of hashed words: no model, and still more alike for texts that share words."""

    def embed(self, texts: Sequence[str], progress: Any = None) -> Embedded:
        rows = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w", text) if not text.isascii() else text.lower().split():
                row[sum(map(ord, word)) % 512] += 1.0
        return Embedded(vectors=rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), truncated=0, cached=0)


def measured(
    script: Script, folder: Path, taxonomy: Taxonomy = TAXONOMY, **settings: Any
) -> tuple[dict[tuple[str, str], Quality], int]:
    with ScriptedServer(script) as server:
        config = LlmConfig(endpoints=[EndpointConfig(name="m", base_url=server.base_url)], max_retries=0)
        with LlmGroup(config, folder / "llm.sqlite", seed=0, base_delay_s=0.01) as group:
            rows = measure_sources(AttributesConfig(**settings), group, WordEmbedder(), taxonomy, seed=0)  # type: ignore[arg-type]
    return {(row.source, row.attribute): row for row in rows}, len(server.bodies)


def knowing(body: dict[str, Any], number: int) -> Reply:
    """The labels of the pair that is asked about: the one most of whose text stands in the question."""
    asked = body["messages"][-1]["content"]
    whole = [item for item in ITEMS if item.attributes.guideline]
    item = max(whole, key=lambda item: sum(len(text) for text in (item.chosen, item.rejected) if text in asked))
    return Reply(text=item.attributes.model_dump_json())


def parrot(body: dict[str, Any], number: int) -> Reply:
    return Reply(text=json.dumps({**FIXED, "desired": ["accuracy"], "guideline": "The reply should be accurate and helpful."}))


FIXED = {"task": "knowledge/fact", "objectivity": "factual", "controversiality": "low"}


def test_the_classifier_is_measured_without_any_llm() -> None:
    rows = measure_sources(AttributesConfig(), None, WordEmbedder(), TAXONOMY, seed=0)  # type: ignore[arg-type]
    assert [(row.source, row.attribute, row.num_pairs) for row in rows] == [
        ("classifier", name, 200) for name in ("task", "objectivity", "controversiality")
    ]


def test_an_llm_that_knows_is_used_on_every_attribute(tmp_path: Path) -> None:
    found, calls = measured(knowing, tmp_path, llm_pairs=5, llm_closed_fields=True, measure_llm=40)
    assert calls == 40
    for name in ("task", "objectivity", "controversiality", "desired", "guideline"):
        row = found["llm:m", name]
        assert (row.num_pairs, row.num_failed) == (40, 0)
        assert row.accuracy == pytest.approx(1.0)
        assert row.kappa == pytest.approx(1.0)
        assert row.used


def test_an_llm_that_always_says_the_same_is_used_on_none(tmp_path: Path) -> None:
    found, _ = measured(parrot, tmp_path, llm_pairs=5, llm_closed_fields=True, measure_llm=40)
    mine = [row for (source, _), row in found.items() if source == "llm:m"]
    assert len(mine) == 5
    assert not any(row.used for row in mine)
    config = AttributesConfig(llm_pairs=5, llm_closed_fields=True)
    # Its closed fields would only replace better ones.
    assert settings_for(config, mine).llm_closed_fields is False
    assert settings_for(config, []).llm_closed_fields is True


def test_an_llm_that_fails_has_proven_nothing(tmp_path: Path) -> None:
    found, _ = measured(lambda body, number: Reply(status=400, raw=b""), tmp_path, llm_pairs=5, measure_llm=30)
    for name in ("desired", "guideline"):
        row = found["llm:m", name]
        assert (row.num_pairs, row.num_failed, row.accuracy, row.used) == (0, 30, None, False)


def test_no_call_is_made_that_was_not_asked_for(tmp_path: Path) -> None:
    found, calls = measured(parrot, tmp_path)
    assert (calls, len(found)) == (0, 3)
    found, calls = measured(parrot, tmp_path, llm_pairs=5, measure_llm=0)
    assert calls == 0
    assert not found["llm:m", "guideline"].used
    assert "measure_llm" in found["llm:m", "guideline"].reason


def test_a_taxonomy_of_ones_own_leaves_tasks_unmeasured_and_says_so(tmp_path: Path) -> None:
    leaves = [leaf for leaf in TAXONOMY.leaf if leaf.group != "math"]
    own = Taxonomy(schema_version=1, group=[group for group in TAXONOMY.group if group.id != "math"], leaf=leaves)
    found, _ = measured(parrot, tmp_path, own)
    row = found["classifier", "task"]
    assert (row.accuracy, row.used) == (None, True)
    assert "7 of the tasks" in row.reason
    assert found["classifier", "objectivity"].accuracy is not None


def test_the_sample_is_stratified_and_whole_ones_come_first() -> None:
    chosen = sample_for_llm(50, seed=3)
    assert all(item.attributes.guideline for item in chosen)
    assert len({item.attributes.task for item in chosen}) == 50
    assert [item.id for item in chosen] == [item.id for item in sample_for_llm(50, seed=3)]
    assert len({item.id for item in sample_for_llm(200, seed=3)}) == 200
