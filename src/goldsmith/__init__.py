"""Goldsmith: a noisy pool of preference pairs in; curated pairs, a reward model and a report out.

The public names below are loaded on first use, so that `import goldsmith` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from goldsmith.version import code_version

_HOMES = {
    "Workspace": "goldsmith.store",
    "GoldsmithConfig": "goldsmith.config",
    "load_config": "goldsmith.config",
    "Pair": "goldsmith.types",
    "Attributes": "goldsmith.types",
    "Vote": "goldsmith.types",
    "Verdict": "goldsmith.types",
    "Decision": "goldsmith.types",
    "RewardModel": "goldsmith.reward",
    "GoldsmithError": "goldsmith.errors",
    "init": "goldsmith.curate",
    "run": "goldsmith.curate",
    "status": "goldsmith.curate",
    "why": "goldsmith.curate",
    "add": "goldsmith.pool.ingest",
    "audit": "goldsmith.pool.audit",
    "attributes_file": "goldsmith.attributes.file",
    "judge_file": "goldsmith.judge.file",
    "Judgement": "goldsmith.types",
    "Check": "goldsmith.types",
    "train_reward_model": "goldsmith.train",
    "score_file": "goldsmith.reward.score",
    "evaluate_models": "goldsmith.evaluate.evaluate",
    "write_comparison": "goldsmith.evaluate.compare",
    "write_report": "goldsmith.curate",
    "export_model": "goldsmith.export.export",
    "bench_deploy": "goldsmith.export.bench",
    "serve": "goldsmith.serve",
    "verify_server": "goldsmith.serve",
    "Client": "goldsmith.client",
    "AsyncClient": "goldsmith.client",
    "clean": "goldsmith.curate.clean",
    "CleanResult": "goldsmith.curate.clean",
    "plan": "goldsmith.curate.budget",
    "install_models": "goldsmith.models",
    "import_votes": "goldsmith.gold",
    "export_queue": "goldsmith.gold",
    "export_votes": "goldsmith.gold",
    "sync_votes": "goldsmith.gold.exchange.sync",
    "run_watching": "goldsmith.curate.watch",
    "open_room": "goldsmith.gold.room",
    "run_code": "goldsmith.sandbox",
    "check_sandbox": "goldsmith.sandbox",
    "CodeResult": "goldsmith.sandbox",
    "serve_annotation": "goldsmith.annotate.serve",
    "annotation_status": "goldsmith.annotate.desk",
    "export_annotation": "goldsmith.annotate.desk",
    "invite_person": "goldsmith.annotate.desk",
    "add_known_answers": "goldsmith.annotate.desk",
    "add_settled_answers": "goldsmith.annotate.desk",
    "add_documents": "goldsmith.annotate.documents",
    "list_documents": "goldsmith.annotate.documents",
    "remove_documents": "goldsmith.annotate.documents",
}

__version__ = code_version()
__all__ = sorted(_HOMES)  # noqa: PLE0605 - names computed from one table


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'goldsmith' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
