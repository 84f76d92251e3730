"""Results side by side: what the numbers of one or several models are worth, as a page, tables and files for others."""

from goldsmith.evaluate.compare.data import ComparisonData
from goldsmith.evaluate.compare.write import write_comparison

__all__ = ["ComparisonData", "write_comparison"]
