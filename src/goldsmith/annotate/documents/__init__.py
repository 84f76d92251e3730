"""The team's own documents: read from files, cut into passages, kept in a full-text index that people search while they vote."""

from goldsmith.annotate.documents.index import DocumentIndex, Hit
from goldsmith.annotate.documents.manage import add_documents, list_documents, remove_documents

__all__ = ["DocumentIndex", "Hit", "add_documents", "list_documents", "remove_documents"]
