"""Reading preference pairs of any common format: one file per format, one door for all of them."""

from goldsmith.pool.sources.recognise import Recognised, Rejected, read_pairs, read_whole_rows, recognise

__all__ = ["Recognised", "Rejected", "read_pairs", "read_whole_rows", "recognise"]
