"""Training of a reward model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from goldsmith.config.base import Section


class LoraConfig(Section):
    """Low-rank adapters; merged into a standard checkpoint when training ends."""

    rank: int = Field(default=16, ge=1)
    """Rank of the update."""
    alpha: float = Field(default=32.0, gt=0)
    """Scale of the update, over the rank."""
    last_layers: int | None = Field(default=None, ge=1)
    """Adapt only this many layers at the end; none: all."""


class TrainConfig(Section):
    """Method, loss, schedule and budget of training."""

    method: Literal["head", "lora", "full"] = "lora"
    """What is trained: the score head alone, adapters and head, or everything."""
    epochs: int = Field(default=1, ge=1)
    """Passes over the pairs."""
    max_pairs: int | None = Field(default=None, ge=1)
    """Train on at most this many pairs, whole contexts, drawn by hash; none: all."""
    batch_size: int = Field(default=32, ge=1)
    """Pairs of one optimizer step in all processes together, about: contexts are kept whole."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate."""
    warmup_ratio: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of steps with rising learning rate."""
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    """What the rate does after the warm-up."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """AdamW's."""
    adam_betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's decay of its two averages."""
    max_grad_norm: float = Field(default=1.0, ge=0.0)
    """A longer gradient is shortened to this norm; 0: never."""
    center_rewards: float = Field(default=0.0, ge=0.0)
    """Weight of the squared sum of a pair's rewards (`lora` and `full`)."""
    margins: Literal["none", "strength"] = "none"
    """`strength`: the chosen reply must win by `margin_scale` times the pair's strength (`lora` and `full`)."""
    margin_scale: float = Field(default=1.0, gt=0)
    """Logits of required margin for a strength of 1; strengths of different sources have different units."""
    soft_labels: bool = False
    """Learn the probability that the chosen reply wins, where a pair has one (`p_chosen`), instead of certainty; with `people = "correct"` what label and judges alone say, as evidence (`p_chosen_by_sources`, `p_chosen_by_trusted`), where a pair has that."""
    people: Literal["pooled", "correct"] = "pooled"
    """What people's labels are for where most labels are not theirs: learnt together with the others, or, with the method `head`, kept apart to correct the head that the others make."""
    ranked_lists: Literal["pairs", "plackett-luce"] = "pairs"
    """Rows of several ranked replies become all their pairs, or are learned whole (`lora` and `full`)."""
    bootstrap_heads: int = Field(default=16, ge=0)
    """Heads fitted to resampled contexts by the method `head`; their disagreement is a score's uncertainty."""
    eval_steps: int | None = Field(default=None, ge=1)
    """Steps between measurements on the validation pairs; the best state is kept. None: a tenth of the run when `early_stopping_patience` is set, else never."""
    early_stopping_patience: int | None = Field(default=None, ge=1)
    """Stop after this many measurements without a better one; none: never."""
    precision: Literal["auto", "float32", "bf16-master32"] = "auto"
    """`bf16-master32`: arithmetic in bfloat16, weights and loss in float32; `auto`: that where `reward.dtype` comes to bfloat16, else float32."""
    gradient_checkpointing: bool = False
    """Compute each layer again in the backward pass instead of keeping its states: less memory, more time."""
    sharding: Literal["none", "zero1", "fsdp2"] = "none"
    """How processes under `torchrun` share the work: `zero1` splits the optimizer's state, `fsdp2` the weights too."""
    checkpoint_steps: int = Field(default=20, ge=1)
    """Steps between checkpoints, from which a killed training goes on."""
    keep_checkpoints: int = Field(default=2, ge=2)
    """The newest checkpoints that stay on disk until the end."""
    track: list[Literal["tensorboard", "wandb", "trackio"]] = Field(default_factory=list)
    """Also write the series of losses for these programs; each is a package of its own."""
    lora: LoraConfig = LoraConfig()
    """Used when `method` is `lora`."""

    @field_validator("adam_betas")
    @classmethod
    def _below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0.0 <= beta < 1.0 for beta in betas):
            raise ValueError("each must be at least 0 and below 1, for example [0.9, 0.999]")
        return betas

    @model_validator(mode="after")
    def _correction_needs_head(self) -> TrainConfig:
        if self.people == "correct" and self.method != "head":
            raise ValueError(f'people = "correct" works with method = "head", not with "{self.method}"')
        return self
