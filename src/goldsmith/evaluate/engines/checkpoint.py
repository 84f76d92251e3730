"""A checkpoint or hub id, through the one scoring path of `goldsmith.reward`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from goldsmith.config.evaluate import EvalModelConfig
from goldsmith.errors import UserError
from goldsmith.evaluate.cache import ScoreCache
from goldsmith.evaluate.engines.engine import Progress, Rated, Text, TextEngine
from goldsmith.evaluate.lineage import lineage
from goldsmith.evaluate.result import ModelInfo
from goldsmith.identity import digest
from goldsmith.reward.checkpoint import checkpoint_digest, file_digest_of, locate
from goldsmith.reward.grouping import Reply
from goldsmith.reward.manifest import read_manifest
from goldsmith.reward.model import RewardModel
from goldsmith.version import code_version

CHUNK = 256
"""Texts scored at once; a kill loses at most so many."""


class CheckpointEngine(TextEngine):
    """Scores conversations with a reward model, whose weights are read when there is something to score.

    Attributes:
        num_tokens: computed so far; those that replies of one context share are computed once.
    """

    is_cached = True

    def __init__(self, load: Callable[[], RewardModel], info: ModelInfo) -> None:
        """Begin without the weights.

        Args:
            load: gives the model; it renders empty replies too from then on, as benchmarks hold some.
            info: what `described` says of it.
        """
        self.info, self.num_tokens = info, 0
        self._load = load
        self._model: RewardModel | None = None

    @property
    def model(self) -> RewardModel:
        """The loaded model.

        Raises:
            UserError: it cannot be loaded; or it is not what was described: its files have changed since, or this machine computes otherwise.
        """
        if self._model is None:
            model = self._load()
            if _digest(model) != self.info.digest:
                raise UserError(_why_other(self.info, model))
            model.renderer.allows_empty = True
            self._model = model
        return self._model

    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        """See `TextEngine.rate`; replies to one context should stand together, as its tokens are then computed once."""
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            before = self.num_tokens

            def count(_done: int, _of: int, tokens: int, before: int = before) -> None:
                self.num_tokens = before + tokens

            rewards = self.model.rate([Reply(text.context, text.reply, text.where) for text in chunk], progress=count)
            yield [
                (text, Rated(value=reward.value, failure=reward.failure or "", tokens=reward.tokens or None, cut=reward.cut))
                for text, reward in zip(chunk, rewards, strict=True)
            ]
            if progress:
                progress(start + len(chunk), len(texts), "texts")


def open_checkpoint(model: EvalModelConfig, scores: Path) -> CheckpointEngine:
    """Return the engine of a folder or hub id; one that was opened with the same files and settings before is not loaded yet.

    Args:
        model: what and how.
        scores: SQLite file of scores, where the description of a model that could be opened is kept.

    Raises:
        UserError: no such model, or one that cannot be loaded.
        StoreError: the file of scores cannot be read or written.
    """
    folder, load = locate(model.model), partial(_loaded, model)
    key = _opening_key(folder, model)
    with ScoreCache(scores) as cache:
        known = cache.description(key)
        if known is not None:
            return CheckpointEngine(load, _of_lineage(ModelInfo.model_validate_json(known), folder))
        loaded = load()
        info = described(loaded, model.model, model.name, folder)
        if key:
            cache.keep_description(key, info.model_dump_json())
    return CheckpointEngine(lambda: loaded, info)


def described(model: RewardModel, spec: str, name: str = "", folder: Path | None = None) -> ModelInfo:
    """Return what results say of a loaded model.

    Args:
        model: loaded.
        spec: how the user named it.
        name: label in reports; empty: the last part of `spec`.
        folder: its files, which may tell what it was made from.
    """
    label = name or spec.rstrip("/").rsplit("/", 1)[-1]
    info = ModelInfo(name=label, spec=spec, kind="checkpoint", digest=_digest(model), facts=model.facts())
    return info if folder is None else _of_lineage(info, folder)


def _of_lineage(info: ModelInfo, folder: Path) -> ModelInfo:
    made = lineage(folder)
    return info.model_copy(update={"base_model": made.base_model, "training_data": list(made.training_data)})


def _digest(model: RewardModel) -> str:
    """What decides a score: the arithmetic too, unless it is float32."""
    dtype = model.facts()["dtype"]
    return model.digest if dtype == "float32" else digest([model.digest, dtype])


def _why_other(info: ModelInfo, model: RewardModel) -> str:
    then, now = info.facts.get("dtype"), model.facts()["dtype"]
    if then == now:
        return f"{info.spec}: its files changed while it was evaluated; run the same again once they are written"
    return f"{info.spec}: its scores were kept in {then}, and here it would compute in {now}; name another --score-cache, or give --dtype {then}"


def _opening_key(folder: Path, model: EvalModelConfig) -> str:
    """A digest of the files and settings that decide what `described` says; empty for an exported graph, whose files are other ones."""
    manifest = read_manifest(folder)
    if manifest is not None and manifest.target != "hf":
        return ""
    small = [[path.name, file_digest_of(path)] for path in sorted(folder.glob("*.json"))]
    return digest([checkpoint_digest(folder), small, model.model_dump(mode="json"), code_version()])


def _loaded(model: EvalModelConfig) -> RewardModel:
    return RewardModel.load(
        model.model, max_length=model.max_length, dtype=model.dtype, pooling=model.pooling, truncation_side=model.truncation_side
    )
