"""One call from a reward model to a folder that another runtime computes: written aside, compared, and put in place only when it decides alike."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError
from goldsmith.export.card import readme
from goldsmith.export.graphs import write_graph
from goldsmith.export.hf import write_hf
from goldsmith.export.pairs import parity_pairs
from goldsmith.export.parity import Parity, compare, score_pairs
from goldsmith.export.targets import ALLOWED, Way, checked_way
from goldsmith.reward.card import CARD, read_card
from goldsmith.reward.checkpoint import file_digest_of, locate
from goldsmith.reward.ensemble import FILE as ENSEMBLE
from goldsmith.reward.exported import ExportedModel, template_prefix
from goldsmith.reward.golden import GoldenScore, golden_scores, write_golden
from goldsmith.reward.grouping import Progress
from goldsmith.reward.manifest import HEAD_FILE, MANIFEST, Manifest, read_manifest
from goldsmith.reward.model import RewardModel
from goldsmith.reward.portable import make_portable
from goldsmith.reward.rewards import Reward
from goldsmith.reward.runtimes import FILES
from goldsmith.store.atomic import write_directory, write_json
from goldsmith.types import Pair
from goldsmith.version import code_version

PARITY = "parity.json"
_PACKAGES = {"hf": ("torch", "transformers"), "onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How to compare an export, and what it may change.

    Attributes:
        pairs: file of pairs to compare on; none: the shipped ones.
        max_pairs: at most so many of them.
        allowed: share of decisions that may change; none: by weights, `targets.ALLOWED`.
        force: write it even when more of them change.
        ignore: patterns of linear maps that stay in float.
        max_length: tokens of a conversation at most; none: the model's.
    """

    pairs: str | Path | None = None
    max_pairs: int = 500
    allowed: float | None = None
    force: bool = False
    ignore: tuple[str, ...] = ()
    max_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What came of an export.

    Attributes:
        path: the folder.
        way: runtime and weights.
        parity: the report.
        bytes: of all files of weights and structure.
        allowed: share of decisions that might change.
        forced: more changed, and it was written all the same.
    """

    path: Path
    way: Way
    parity: Parity
    bytes: int
    allowed: float
    forced: bool


@dataclass(slots=True)
class Original:
    """A model and what it gives, computed once however many exports are compared with it."""

    path: str | Path
    pairs: list[Pair]
    pairs_from: str
    max_length: int | None = None
    golden: list[GoldenScore] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)

    def open(self) -> RewardModel:
        """Return the model in float32, fresh from disk."""
        return RewardModel.load(self.path, dtype="float32", max_length=self.max_length)

    def measure(self, model: RewardModel, progress: Progress | None = None) -> None:
        """Compute golden scores and the pairs' rewards, unless that was done."""
        if not self.golden:
            self.golden = golden_scores(model)
            self.rewards = score_pairs(model, self.pairs, progress)


def export_model(
    model: str | Path,
    out: Path,
    *,
    target: str,
    dtype: str,
    options: ExportOptions | None = None,
    original: Original | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write a reward model for another runtime and return how its scores compare.

    Args:
        model: folder or hub id.
        out: the new folder, which appears whole or not at all.
        target: `hf`, `onnx` or `openvino`.
        dtype: `fp32`, `bf16`, `fp16`, `int8` or `int4`, as the target has them.
        options: how to compare.
        original: the model's own scores, when several exports are compared.
        progress: called with (replies done, replies in all, tokens computed).

    Raises:
        UserError: no such way, the model cannot be exported, the folder is taken, or more decisions change than are allowed.
        StoreError: the disk is full; nothing is left behind.
    """
    chosen, way = options or ExportOptions(), checked_way(target, dtype)
    _check_free(out)
    manifest = read_manifest(locate(model))
    if manifest is not None and not (manifest.target == "hf" and manifest.dtype == "fp32"):
        raise UserError(f"{model}: is an export itself ({manifest.target} {manifest.dtype}); export the model it was made from")
    if original is None:
        original = Original(model, *parity_pairs(chosen.pairs, chosen.max_pairs), max_length=chosen.max_length)
    loaded = original.open()
    original.measure(loaded, progress)
    with write_directory(out) as folder:
        written, parity = _write(loaded, folder, way, chosen, original, progress)
        allowed = ALLOWED[way.dtype] if chosen.allowed is None else chosen.allowed
        is_worse = not parity.overall.changed_share <= allowed
        if is_worse and not chosen.force:
            write_json(out.with_name(f"{out.name}.refused.json"), parity.model_dump())
            raise UserError(_refusal(out, way, parity, allowed))
        size = sum((folder / name).stat().st_size for name in written.files)
        (folder / "README.md").write_text(readme(way, parity, read_card(folder), size), encoding="utf-8")
    return Exported(path=out, way=way, parity=parity, bytes=size, allowed=allowed, forced=is_worse)


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists already; name another --out, or delete it")


def _write(
    loaded: RewardModel, folder: Path, way: Way, chosen: ExportOptions, original: Original, progress: Progress | None
) -> tuple[Manifest, Parity]:
    source, digest = locate(original.path), loaded.digest
    _write_beside(loaded, folder, source, original)
    if way.target == "hf":
        ignored = write_hf(loaded, folder, way.dtype, chosen.ignore)
        names: Sequence[str] = ("model.safetensors",)
    else:
        ignored = write_graph(loaded, folder, way, chosen.ignore)
        loaded.classifier.config.save_pretrained(folder)
        names = (*FILES[way.target], HEAD_FILE)
    make_portable(folder)
    facts: dict[str, Any] = {
        "target": way.target,
        "dtype": way.dtype,
        "source_digest": digest,
        "files": {name: file_digest_of(folder / name) for name in (*names, ENSEMBLE) if (folder / name).is_file()},
        "ignored": ignored,
        "prefix": list(template_prefix(loaded.renderer)),
        "made_with": {"goldsmith": code_version(), **{name: metadata.version(name) for name in _PACKAGES[way.target]}},
    }
    first = Manifest(**facts, largest=0.0)
    copy = loaded if way.target == "hf" else ExportedModel.open(folder, first)
    parity = compare(
        original.pairs,
        original.rewards,
        score_pairs(copy, original.pairs, progress),
        way=str(way),
        arithmetic=_arithmetic(copy, way),
        pairs_from=original.pairs_from,
    )
    again = copy.score([row.messages for row in original.golden])
    apart = max(abs(score - row.score) for score, row in zip(again, original.golden, strict=True))
    manifest = first.model_copy(update={"largest": max(apart, parity.overall.largest)})
    write_json(folder / MANIFEST, manifest.model_dump())
    write_json(folder / PARITY, parity.model_dump())
    return manifest, parity


def _write_beside(loaded: RewardModel, folder: Path, source: Path, original: Original) -> None:
    """Write tokenizer, template, card, bootstrap heads and golden scores."""
    renderer = loaded.renderer
    renderer.tokenizer.save_pretrained(folder)
    facts = {
        "schema_version": 1,
        "pooling": loaded.pooling,
        "truncation_side": renderer.truncation_side,
        "template_inserts": renderer.inserted,
        **read_card(source),
        "max_length": renderer.max_length,
    }
    write_json(folder / CARD, facts)
    if (source / ENSEMBLE).is_file():
        shutil.copyfile(source / ENSEMBLE, folder / ENSEMBLE)
    write_golden(folder, original.golden)


def _arithmetic(copy: RewardModel, way: Way) -> str:
    if way.target != "hf":
        return str(copy.facts()["arithmetic"])
    return "float32, on weights and activations rounded as int8 W8A8" if way.dtype == "int8" else "float32, on rounded weights"


def _refusal(out: Path, way: Way, parity: Parity, allowed: float) -> str:
    found = parity.overall
    return (
        f"{way}: {found.changed} of {found.pairs} decisions change ({100 * found.changed_share:.1f} %, allowed {100 * allowed:g} %), the "
        f"largest difference of a score is {found.largest:.4g}; nothing was written to {out} (the report is in {out.name}.refused.json). "
        "Keep the layers with outliers in float (--ignore '*.down_proj'), take wider weights, or pass --force"
    )
