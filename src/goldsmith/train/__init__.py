"""Training of reward models. Importing this imports no torch."""

from goldsmith.train.run import TrainResult, train_file, train_reward_model

__all__ = ["TrainResult", "train_file", "train_reward_model"]
