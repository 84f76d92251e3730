"""Reward functions for RL frameworks that ask a Goldsmith server: TRL, OpenRLHF, verl. A failure raises; it is never a reward."""
