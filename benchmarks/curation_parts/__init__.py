"""The parts of the curation experiment: the oracle wall, noise and judges, arms, and the figures."""
