"""Calls to language models: one client, a cache that never asks twice, a ledger, a budget, and the embedded server."""

from goldsmith.llm.group import LlmGroup
from goldsmith.llm.request import Completion, Failure, Request

__all__ = ["Completion", "Failure", "LlmGroup", "Request"]
