"""The workspace on disk: tables with manifests, facts of a run, the lock that keeps two runs apart."""

from goldsmith.store.manifest import Counts, Manifest
from goldsmith.store.pairs import PAIR_COLUMNS, from_row, pair_schema, to_row
from goldsmith.store.tables import Table, TableWriter
from goldsmith.store.workspace import Workspace

__all__ = ["PAIR_COLUMNS", "Counts", "Manifest", "Table", "TableWriter", "Workspace", "from_row", "pair_schema", "to_row"]
