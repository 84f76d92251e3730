"""Evaluation sets: their prompts and texts; no scoring."""
