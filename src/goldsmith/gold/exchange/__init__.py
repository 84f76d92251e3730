"""Votes in and out of files, and peace with the neighbours: one small file for each format, one record (`item`) for all."""

from goldsmith.gold.exchange.queue import export_queue
from goldsmith.gold.exchange.recorded import RecordedVotes, read_votes
from goldsmith.gold.exchange.rows import json_lines
from goldsmith.gold.exchange.transfer import export_votes, import_votes

__all__ = ["RecordedVotes", "export_queue", "export_votes", "import_votes", "json_lines", "read_votes"]
