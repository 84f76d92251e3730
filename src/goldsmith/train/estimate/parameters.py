"""Parameters of a reward model by component, and how many of them a method trains."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.train.estimate.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Numbers of parameters.

    Attributes:
        embedding: token embedding.
        attention: query, key, value and output maps of all layers, with biases and norms of heads.
        feed_forward: gate, up and down maps of all layers.
        norms: of all layers, and the last one.
        head: the reward's linear map.
        trained: those that the method changes.
    """

    embedding: int
    attention: int
    feed_forward: int
    norms: int
    head: int
    trained: int

    @property
    def total(self) -> int:
        """All parameters of the reward model; adapters, which are merged in the end, are not counted."""
        return self.embedding + self.attention + self.feed_forward + self.norms + self.head

    @property
    def matrices(self) -> int:
        """Parameters that every token is multiplied with: all but embedding, norms and head."""
        return self.attention + self.feed_forward


def count_parameters(shape: Shape, config: TrainConfig) -> Parameters:
    """Return the parameters of a reward model of a shape under a training method."""
    hidden, queries, keys = shape.hidden, shape.queries, shape.keys
    attention = 2 * hidden * queries + 2 * hidden * keys
    if shape.family == "qwen2":
        attention += queries + 2 * keys
    if shape.family == "qwen3":
        attention += 2 * shape.head_dim
    whole = Parameters(
        embedding=shape.vocab * hidden,
        attention=shape.layers * attention,
        feed_forward=shape.layers * 3 * hidden * shape.intermediate,
        norms=(2 * shape.layers + 1) * hidden,
        head=hidden,
        trained=hidden,
    )
    if config.method == "head":
        return whole
    trained = whole.total if config.method == "full" else adapter_parameters(shape, config) + hidden
    return Parameters(
        embedding=whole.embedding,
        attention=whole.attention,
        feed_forward=whole.feed_forward,
        norms=whole.norms,
        head=whole.head,
        trained=trained,
    )


def adapted_layers(shape: Shape, config: TrainConfig) -> int:
    """Return how many layers at the end a method changes: all under `full`, none under `head`.

    Raises:
        UserError: `train.lora.last_layers` is more than the model has.
    """
    if config.method != "lora":
        return shape.layers if config.method == "full" else 0
    wanted = config.lora.last_layers or shape.layers
    if wanted > shape.layers:
        raise UserError(
            f"train.lora.last_layers = {wanted}, but the model has {shape.layers} layers; lower it, or leave it unset"
        )
    return wanted


def adapter_parameters(shape: Shape, config: TrainConfig) -> int:
    """Return the parameters of all adapters: rank x (inputs + outputs) of each adapted map."""
    hidden, queries, keys, wide = shape.hidden, shape.queries, shape.keys, shape.intermediate
    attention = 2 * (hidden + queries) + 2 * (hidden + keys)
    return adapted_layers(shape, config) * config.lora.rank * (attention + 3 * (hidden + wide))
