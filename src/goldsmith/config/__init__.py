"""The configuration: one small file per stage, TOML in, resolved JSON out. Imports no torch."""

from goldsmith.config.load import load_config
from goldsmith.config.workspace import GoldsmithConfig

__all__ = ["GoldsmithConfig", "load_config"]
