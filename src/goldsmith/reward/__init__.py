"""Reward models: one rendering and scoring path for training, evaluation and serving. Importing this imports no torch."""

from goldsmith.reward.grouping import Reply
from goldsmith.reward.model import RewardModel
from goldsmith.reward.score import score_file

__all__ = ["Reply", "RewardModel", "score_file"]
