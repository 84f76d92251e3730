"""Finds similar pairs: embeddings, an exact and an approximate index, the adaptive k and the ranking."""
