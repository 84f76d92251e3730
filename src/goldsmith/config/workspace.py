"""The whole of `goldsmith.toml`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from goldsmith.config.annotate import AnnotateConfig
from goldsmith.config.attributes import AttributesConfig
from goldsmith.config.base import Section
from goldsmith.config.curate import CurateConfig
from goldsmith.config.evaluate import EvaluateConfig
from goldsmith.config.gold import GoldConfig
from goldsmith.config.judge import JudgeConfig
from goldsmith.config.llm import LlmConfig
from goldsmith.config.pool import EngineConfig, PoolConfig
from goldsmith.config.retrieve import RetrieveConfig
from goldsmith.config.reward import HeadConfig, RewardConfig
from goldsmith.config.rounds import RoundsConfig, SeedConfig
from goldsmith.config.sandbox import SandboxConfig
from goldsmith.config.serve import ServeConfig
from goldsmith.config.train import TrainConfig
from goldsmith.config.verify import VerifyConfig


class GoldsmithConfig(Section):
    """One section for each stage; every key has a default that works offline."""

    name: str = "goldsmith"
    """Title of the report."""
    seed: int = 0
    """Seed of every draw: sampling, flips, folds, shuffles, bootstraps."""
    base_dir: str | None = None
    """Folder that relative paths below start from; none: the workspace. `goldsmith init --config FILE` sets it to the file's folder."""
    simulated: list[str] = Field(default_factory=list)
    """What in this run is simulated (votes, for instance); the report prints it first."""
    pool: PoolConfig = PoolConfig()
    engine: EngineConfig = EngineConfig()
    llm: LlmConfig = LlmConfig()
    attributes: AttributesConfig = AttributesConfig()
    seed_selection: SeedConfig = SeedConfig()
    gold: GoldConfig = GoldConfig()
    annotate: AnnotateConfig = AnnotateConfig()
    sandbox: SandboxConfig = SandboxConfig()
    judge: JudgeConfig = JudgeConfig()
    verify: VerifyConfig = VerifyConfig()
    retrieve: RetrieveConfig = RetrieveConfig()
    rounds: RoundsConfig = RoundsConfig()
    reward: RewardConfig = RewardConfig()
    head: HeadConfig = HeadConfig()
    curate: CurateConfig = CurateConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    serve: ServeConfig = ServeConfig()

    @model_validator(mode="after")
    def _checkers_exist(self) -> Self:
        names = [endpoint.name for endpoint in self.llm.endpoints]
        unknown = [name for name in self.verify.models if name not in names]
        if unknown:
            raise ValueError(
                f"verify.models names '{unknown[0]}', which is no llm.endpoints entry; known: {', '.join(names) or 'none'}"
            )
        return self
