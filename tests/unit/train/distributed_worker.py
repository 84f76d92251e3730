"""One of several processes that train the same cases together; `test_distributed.py` starts them and reads what they leave.

Usage: RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=... python distributed_worker.py FOLDER BASE
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.errors import StoreError
from goldsmith.pool.sources.lists import RankedList
from goldsmith.train import train_reward_model
from goldsmith.types import Pair

DEATH = 9
WORDS = ["red", "blue", "green", "black", "white", "pink", "grey", "gold", "tan", "lime"]
LORA = TrainConfig(
    method="lora",
    epochs=2,
    batch_size=4,
    learning_rate=3e-3,
    checkpoint_steps=2,
    soft_labels=True,
    center_rewards=0.01,
    max_grad_norm=0.1,
    lora=LoraConfig(rank=4, alpha=8, last_layers=2),
)
# Unclipped, the averages in a checkpoint show the gradients' size, to which AdamW's steps themselves are blind.
FULL = LORA.model_copy(update={"method": "full", "learning_rate": 1e-3, "max_grad_norm": 0.0})
MIXED = FULL.model_copy(update={"precision": "bf16-master32"})
VALIDATED = FULL.model_copy(update={"eval_steps": 3, "gradient_checkpointing": True, "max_grad_norm": 0.5})


def data(validated: bool = False) -> dict[str, Any]:
    """Pairs and lists of very different lengths, with weights and probabilities; one list counts for more than a whole step."""
    pairs, lists = [], []
    for at, word in enumerate(WORDS):
        context = [{"role": "user", "content": f"Say {word}." + " Really." * (at % 4)}]
        if at % 5 == 4:
            replies = [f"{word}!" * (1 + rank) for rank in range(3 + at // 2)]
            lists.append(RankedList.of(context, replies, [1 + rank for rank in range(len(replies))]))
        else:
            pairs.append(Pair.from_replies(context, f"{word}, please!", word))
            pairs.append(Pair.from_replies(context, f"{word}, please!", "no " * (1 + 9 * (at % 3))))
    given = {
        "pairs": pairs,
        "lists": lists,
        "weights": {pair.pair_id: 0.5 + at / 8 for at, pair in enumerate(pairs)} | {lists[0].list_id: 0.3},
        "p_first": {pair.pair_id: 0.9 if pair.label == "first" else 0.2 for pair in pairs[::3]},
    }
    if validated:
        held = [[{"role": "user", "content": f"Say {word}s."}] for word in WORDS[:5]]
        given["validation"] = [Pair.from_replies(context, "yes, please!", "no " * (1 + at)) for at, context in enumerate(held)]
    return given


def train(base: Path, out: Path, config: TrainConfig, **more: Any) -> Any:
    """Train one case; the budget makes several pieces of most steps."""
    given = data(config.eval_steps is not None)
    reading = RewardConfig(base=str(base), token_budget=192, dtype="float32")
    return train_reward_model(given.pop("pairs"), base, out, config.model_copy(update=more), reading, seed=0, **given)


def broken_loss(rank: int, kind: str) -> Any:
    """On one process the third piece's loss, or its gradient alone, is not a number."""
    from goldsmith.train import trainer

    calls, original = [0], trainer.units_loss

    def units_loss(*arguments: Any, **options: Any) -> Any:
        out = original(*arguments, **options)
        calls[0] += 1
        if int(os.environ["RANK"]) != rank or calls[0] != 3:
            return out
        if kind == "loss":
            return out._replace(loss=out.loss * float("nan"))
        out.loss.register_hook(lambda gradient: gradient * float("nan"))
        return out

    return patch("goldsmith.train.trainer.units_loss", units_loss)


def dying(rank: int) -> Any:
    """One process ends without a word in the middle of a step."""
    from goldsmith.train import trainer

    original = trainer.units_loss

    def units_loss(*arguments: Any, **options: Any) -> Any:
        if int(os.environ["RANK"]) == rank:
            os._exit(DEATH)
        return original(*arguments, **options)

    return patch("goldsmith.train.trainer.units_loss", units_loss)


def stopped_after(step: int) -> Any:
    """Every process is interrupted when the checkpoint of a step is written."""
    from goldsmith.train.trainer import PairTrainer

    original = PairTrainer._save_checkpoint

    def save(self: PairTrainer, *arguments: Any) -> None:
        original(self, *arguments)
        if self.state.global_step >= step:
            raise KeyboardInterrupt

    return patch.object(PairTrainer, "_save_checkpoint", save)


def full_disk() -> Any:
    """The first process cannot write a checkpoint."""
    return patch("goldsmith.train.trainer.write_checkpoint", side_effect=StoreError("no space left on the disk"))


@contextlib.contextmanager
def tracker() -> Any:
    """A tracker that is installed, and does nothing."""
    from transformers import TrainerCallback

    with (
        patch("goldsmith.train.run.check_trackers"),
        patch("goldsmith.train.fine_tune.tensorboard_callback", lambda folder: TrainerCallback()),
    ):
        yield


def told(folder: Path, name: str, action: Any, context: Any) -> None:
    """Write down how an action ended in this process."""
    with context:
        try:
            action()
            found = {"error": None}
        except (Exception, KeyboardInterrupt) as error:
            found = {"error": type(error).__name__, "message": str(error), "is_echo": getattr(error, "is_echo", None)}
    (folder / f"{name}.{os.environ['RANK']}.json").write_text(json.dumps(found))


def main(folder: Path, base: Path) -> None:
    """Run every case, in one pair of processes: starting them takes longer than training."""
    import torch.distributed as dist

    dist.init_process_group("gloo")
    for kind in ("zero1", "fsdp2"):
        plain = contextlib.nullcontext()
        for name, config in (("lora", LORA), ("full", FULL), ("mixed", MIXED)):
            told(folder, f"{kind}-{name}", lambda: train(base, folder / f"{kind}-{name}", config, sharding=kind), plain)  # noqa: B023
        tracked = {"sharding": kind, "track": ["tensorboard"]}
        told(folder, f"{kind}-validated", lambda: train(base, folder / f"{kind}-validated", VALIDATED, **tracked), tracker())  # noqa: B023
        for name, context in (
            ("loss", broken_loss(1, "loss")),
            ("gradient", broken_loss(1, "gradient")),
            ("disk", full_disk()),
            ("stopped", stopped_after(4)),
        ):
            told(folder, f"{kind}-{name}", lambda: train(base, folder / f"{kind}-{name}", FULL, sharding=kind), context)  # noqa: B023
        # Begun by one process and gone on with by two.
        told(folder, f"{kind}-taken", lambda: train(base, folder / f"{kind}-taken", FULL, sharding=kind), plain)  # noqa: B023
    told(folder, "lost", lambda: train(base, folder / "lost", FULL, sharding="fsdp2"), dying(1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
