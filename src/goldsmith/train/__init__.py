"""Training of reward models. Importing this imports no torch."""

from goldsmith.pool.sources.lists import RankedList, read_lists
from goldsmith.train.checkpoints import Resume
from goldsmith.train.file import train_file
from goldsmith.train.run import TrainResult, train_reward_model

__all__ = ["RankedList", "Resume", "TrainResult", "read_lists", "train_file", "train_reward_model"]
