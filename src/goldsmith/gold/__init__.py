"""Human votes become gold here: the votes table, agreement, disputes, the gate, the split. No web."""

from goldsmith.gold.exchange import export_queue, export_votes, import_votes

__all__ = ["export_queue", "export_votes", "import_votes"]
