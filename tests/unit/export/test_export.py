"""Exported folders: the same scores as the original, whole or absent, refused where they decide otherwise."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import goldsmith.export.export as export
from goldsmith.errors import StoreError, UserError
from goldsmith.export.export import PARITY, ExportOptions, Original, export_model
from goldsmith.reward import Reply, RewardModel
from goldsmith.reward.card import update_card
from goldsmith.reward.golden import read_golden
from goldsmith.reward.manifest import read_manifest
from goldsmith.reward.tiny import write_tiny_model

TURNS = [{"role": "user", "content": "What is 2 + 2?"}]
EXACT = 1e-4


def _replies() -> list[Reply]:
    """Several lengths, with and without the template's own beginning, in one batch."""
    system = [{"role": "system", "content": "Be brief."}, *TURNS]
    return [Reply(TURNS, "4", "a"), Reply(TURNS, "four " * 40, "b"), Reply(system, "4", "c"), Reply([*TURNS] * 1, "5", "d")]


@pytest.mark.parametrize(
    ("way", "apart"),
    [("onnx fp32", EXACT), ("openvino fp32", EXACT), ("openvino bf16", 0.2), ("openvino int8", 0.3), ("onnx int8", 0.3)],
)
def test_an_export_scores_like_the_original(qwen: Path, exported: dict[str, Path], way: str, apart: float) -> None:
    before = RewardModel.load(qwen, dtype="float32").score_replies(_replies())
    after = RewardModel.load(exported[way]).score_replies(_replies())
    assert list(after) == pytest.approx(list(before), abs=apart)
    if way.endswith("fp32"):
        return
    assert list(after) != list(before)


def test_a_folder_holds_everything_that_a_user_needs(exported: dict[str, Path]) -> None:
    for way, folder in exported.items():
        names = {path.name for path in folder.iterdir()}
        assert {"config.json", "tokenizer.json", "chat_template.jinja", "goldsmith.json", "README.md"} <= names, way
        assert {"golden_scores.jsonl", "export.json", PARITY} <= names, way
        manifest = read_manifest(folder)
        assert manifest is not None
        assert f"{manifest.target} {manifest.dtype}" == way
        told = json.loads((folder / PARITY).read_text(encoding="utf-8"))
        assert told["overall"]["conversations"] == 16
        assert sum(found["pairs"] for found in told["by_length"].values()) == told["overall"]["pairs"]


def test_golden_scores_are_the_originals_in_float32(qwen: Path, exported: dict[str, Path]) -> None:
    rows = read_golden(exported["openvino int8"])
    scores = RewardModel.load(qwen, dtype="float32").score([row.messages for row in rows])
    assert [row.score for row in rows] == pytest.approx(list(scores), abs=1e-5)


@pytest.mark.parametrize(
    ("way", "apart"), [("onnx fp32", 1e-3), ("openvino fp32", 1e-3), ("onnx int8", 0.3), ("openvino int8", 0.3)]
)
def test_16_384_tokens_and_padded_neighbours(qwen: Path, exported: dict[str, Path], way: str, apart: float) -> None:
    import torch

    model = RewardModel.load(exported[way])
    ids = torch.randint(3, 250, (1, 16_384), generator=torch.Generator().manual_seed(1))
    original = RewardModel.load(qwen, dtype="float32")
    with torch.inference_mode():
        expected = float(original.classifier(input_ids=ids).logits[0, 0])
    whole = tuple(ids[0].tolist())
    from goldsmith.reward.packing import Group

    groups = [Group(prefix=(), suffixes=(whole[:length],), starts=(0,), rows=(row,)) for row, length in enumerate((16_384, 700))]
    found = model.logits(groups)  # type: ignore[attr-defined]
    alone = model.logits(groups[1:])  # type: ignore[attr-defined]
    assert float(found[0][0]) == pytest.approx(expected, abs=apart)
    assert float(found[1][0]) == pytest.approx(float(alone[1][0]), abs=EXACT)


def test_bootstrap_heads_and_bias_travel_in_float32(tmp_path: Path, qwen: Path) -> None:
    from goldsmith.reward.ensemble import HeadEnsemble

    source = tmp_path / "source"
    shutil.copytree(qwen, source)
    rng = np.random.default_rng(0)
    HeadEnsemble(weight=rng.normal(size=(3, 32)).astype(np.float32), center=np.zeros(32, np.float32), seed=0).save(source)
    update_card(source, head_bias=0.75)
    export_model(source, tmp_path / "out", target="onnx", dtype="fp32", options=ExportOptions(max_pairs=2))
    before = RewardModel.load(source, dtype="float32").rate(_replies()[:1])[0]
    after = RewardModel.load(tmp_path / "out").rate(_replies()[:1])[0]
    assert after.value == pytest.approx(before.value, abs=EXACT)
    assert after.by_head == pytest.approx(before.by_head, abs=EXACT)


def test_more_changed_decisions_than_allowed_refuse_the_export(
    monkeypatch: pytest.MonkeyPatch, qwen: Path, tmp_path: Path, original: Original
) -> None:
    class Turned(export.ExportedModel):
        def rate(self, *arguments: object, **settings: object) -> list[object]:  # type: ignore[override]
            from dataclasses import replace

            return [replace(reward, value=-reward.value) for reward in super().rate(*arguments, **settings)]  # type: ignore[arg-type]

    monkeypatch.setattr(export, "ExportedModel", Turned)
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"8 of 8 decisions change \(100\.0 %, allowed 0 %\)"):
        export_model(qwen, out, target="onnx", dtype="fp32", original=original)
    with pytest.raises(UserError, match="8 of 8 decisions change"):
        export_model(qwen, out, target="onnx", dtype="fp32", options=ExportOptions(allowed=float("nan")), original=original)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.refused.json"]
    forced = export_model(qwen, out, target="onnx", dtype="fp32", options=ExportOptions(force=True), original=original)
    assert forced.forced
    assert read_manifest(out) is not None


@pytest.mark.parametrize(
    ("target", "dtype", "told"),
    [
        ("tensorrt", "fp32", "--to 'tensorrt': there is hf, onnx, openvino"),
        ("onnx", "fp8", "--dtype 'fp8': there is fp32"),
        ("onnx", "bf16", "no bfloat16 products"),
        ("hf", "int4", "calibrated method"),
    ],
)
def test_ways_that_do_not_exist_are_refused(qwen: Path, tmp_path: Path, target: str, dtype: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        export_model(qwen, tmp_path / "out", target=target, dtype=dtype)


def test_an_ignore_pattern_without_a_match_leaves_nothing(qwen: Path, tmp_path: Path, original: Original) -> None:
    with pytest.raises(UserError, match="matches no linear map"):
        export_model(
            qwen, tmp_path / "out", target="onnx", dtype="int8", options=ExportOptions(ignore=("*.w2",)), original=original
        )
    assert list(tmp_path.iterdir()) == []


def test_what_is_ignored_stays_float(qwen: Path, tmp_path: Path, original: Original) -> None:
    options = ExportOptions(ignore=("*_proj",), force=True)
    export_model(qwen, tmp_path / "out", target="onnx", dtype="int8", options=options, original=original)
    manifest = read_manifest(tmp_path / "out")
    assert manifest is not None
    assert len(manifest.ignored) == 2 * 7
    scores = RewardModel.load(tmp_path / "out").score_replies(_replies())
    # What is left to quantise is the embedding, with a scale a row.
    assert list(scores) == pytest.approx(list(RewardModel.load(qwen, dtype="float32").score_replies(_replies())), abs=0.1)


def test_a_taken_folder_an_export_and_weights_that_are_no_numbers_are_refused(
    qwen: Path, exported: dict[str, Path], tmp_path: Path, original: Original
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="exists already"):
        export_model(qwen, tmp_path / "taken", target="onnx", dtype="fp32", original=original)
    with pytest.raises(UserError, match="is an export itself"):
        export_model(exported["onnx int8"], tmp_path / "out", target="openvino", dtype="fp32", original=original)
    broken = _broken(tmp_path / "broken", float("nan"))
    with pytest.raises(UserError, match=r"not finite|is nan"):
        export_model(broken, tmp_path / "out", target="onnx", dtype="fp32", original=Original(broken, original.pairs, "p"))
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(monkeypatch: pytest.MonkeyPatch, qwen: Path, tmp_path: Path, original: Original) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export, "write_json", full)
    with pytest.raises(StoreError, match="no space left"):
        export_model(qwen, tmp_path / "out", target="openvino", dtype="fp32", original=original)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "changed", "extra", "pickle"])
def test_a_folder_that_is_not_what_was_exported_is_refused(exported: dict[str, Path], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(exported["onnx int8"], folder)
    weights = folder / "model.onnx.data"
    if damage == "missing":
        weights.unlink()
    elif damage == "changed":
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(bytes(content))
    else:
        (folder / ("more.safetensors" if damage == "extra" else "pytorch_model.bin")).write_bytes(b"x")
    told = {"missing": "is missing", "changed": "is not the file that was exported"}.get(damage, "does not belong to this export")
    with pytest.raises(UserError, match=told):
        RewardModel.load(folder)


def test_a_model_whose_layers_no_graph_describes_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "m", seed=1, num_labels=1, num_layers=1)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["rope_parameters"] = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match="depends on the length"):
        export_model(folder, tmp_path / "out", target="onnx", dtype="fp32", options=ExportOptions(max_pairs=1))


def _broken(folder: Path, value: float) -> Path:
    from safetensors.torch import load_file, save_file

    write_tiny_model(folder, seed=1, num_labels=1, num_layers=1)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.mlp.down_proj.weight"][0, 0] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
