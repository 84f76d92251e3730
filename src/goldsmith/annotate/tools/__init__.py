"""The tool box: what people may ask while they judge a pair, one file for each tool.

A tool is a `Tool` (`tool.py`) with a router of its own, listed in `catalogue.py`; `use.py` does what all have in common: who may ask, on which pair, that
no page waits meanwhile, and that every use is written down.
"""
