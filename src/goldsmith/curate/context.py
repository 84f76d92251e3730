"""What every step of a run shares: the workspace, the configuration, progress, and tools that are loaded on first use."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.config import GoldsmithConfig
from goldsmith.config.load import resolve_path
from goldsmith.progress import Progress
from goldsmith.store import Workspace

if TYPE_CHECKING:
    from goldsmith.attributes.taxonomy import Taxonomy
    from goldsmith.llm import LlmGroup
    from goldsmith.retrieve.embed import Embedder
    from goldsmith.reward.features import FeatureStore


class Context:
    """One run's surroundings.

    Args:
        workspace: where tables live.
        run_folder: `runs/<n>`.
        progress: where bars are drawn.
    """

    def __init__(self, workspace: Workspace, run_folder: Path, progress: Progress) -> None:
        self.workspace = workspace
        self.run_folder = run_folder
        self.progress = progress

    @property
    def config(self) -> GoldsmithConfig:
        """The resolved configuration."""
        return self.workspace.config

    @property
    def seed(self) -> int:
        """The seed of every draw."""
        return self.config.seed

    def path(self, text: str | Path) -> Path:
        """Return a path of the configuration, relative to the workspace and with `$GOLDSMITH_DATA` filled in."""
        base = self.workspace.root / (self.config.base_dir or ".")
        return Path(resolve_path(str(text), base))

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder, with its cache in the workspace."""
        from goldsmith.retrieve.embed import Embedder

        config = self.config.retrieve
        return Embedder(config.embedder, cache=self.workspace.cache / "embeddings.sqlite", batch_size=config.batch_size)

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy of tasks."""
        from goldsmith.attributes.taxonomy import load_taxonomy

        return load_taxonomy(self.config.attributes.taxonomy)

    @cached_property
    def llm(self) -> LlmGroup:
        """The group of LLMs, with cache and ledger in the workspace; no server is started before the first call."""
        from goldsmith.llm import LlmGroup

        return LlmGroup(self.config.llm, self.workspace.cache / "llm.sqlite", seed=self.seed, note=self.progress.note)

    @cached_property
    def features(self) -> FeatureStore:
        """Trunk features of (context, reply), with their cache."""
        from goldsmith.reward.features import FeatureStore

        folder = self.config.reward.feature_cache
        return FeatureStore(self.config.reward, self.path(folder) if folder else self.workspace.cache / "features")

    def close(self) -> None:
        """Stop what was started: model servers."""
        if "llm" in self.__dict__:
            self.llm.close()
