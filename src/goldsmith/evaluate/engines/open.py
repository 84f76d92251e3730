"""From what the user writes for a model to an engine that is ready to answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from goldsmith.config import GoldsmithConfig
from goldsmith.config.evaluate import EvalModelConfig
from goldsmith.errors import UserError
from goldsmith.evaluate.cache import SCORES_FILE
from goldsmith.evaluate.engines.dialects import DIALECTS
from goldsmith.evaluate.engines.engine import Engine
from goldsmith.evaluate.engines.shipped import SHIPPED, shipped

SCORES, JUDGE = "scores:", "judge:"


def label_of(model: EvalModelConfig) -> str:
    """Return the model's name in reports: the one given, or what its engine calls itself by."""
    spec = model.model
    if model.name:
        return model.name
    if spec.startswith(SCORES):
        return Path(spec.removeprefix(SCORES)).name.split(".")[0]
    if "://" in spec and not spec.startswith(JUDGE):
        return model.served_model or spec.partition(":")[2]
    return spec.removeprefix(JUDGE).rstrip("/").rsplit("/", 1)[-1]


def opener(
    model: EvalModelConfig, config: GoldsmithConfig, out: Path, answers: Path | None = None, scores: Path | None = None
) -> Callable[[], Engine]:
    """Return what opens the engine of a model; what can be wrong without loading anything is said at once.

    Args:
        model: what and how.
        config: sections `llm` and `seed`.
        out: the evaluation's folder, for a judge's ledger.
        answers: a judge's ledger; None: `llm.sqlite` in `out`.
        scores: SQLite file of scores; None: `scores.sqlite` in `out`.

    Raises:
        UserError: an unknown dialect or judge, an address without scheme, a file that is not there.
    """
    spec = model.model
    kind = next((kind for kind in SHIPPED if kind == spec and not Path(spec).is_dir()), None)
    if kind is not None:
        return lambda: shipped(kind, model.name, config.seed)
    if spec.startswith(SCORES):
        return _scores(Path(spec.removeprefix(SCORES)), model.name)
    if spec.startswith(JUDGE):
        return _judge(spec.removeprefix(JUDGE), model, config, answers or out / "llm.sqlite")
    if "://" in spec:
        return _http(spec, model)
    return _checkpoint(model, scores or out / SCORES_FILE)


def _scores(path: Path, name: str) -> Callable[[], Engine]:
    from goldsmith.evaluate.engines.score_file import ScoreFileEngine

    if not path.exists():
        raise UserError(f"{path}: no such file of scores")
    return lambda: ScoreFileEngine(path, name)


def _judge(name: str, model: EvalModelConfig, config: GoldsmithConfig, ledger: Path) -> Callable[[], Engine]:
    names = [endpoint.name for endpoint in config.llm.endpoints]
    if not name and len(names) == 1:
        name = names[0]
    if name not in names:
        raise UserError(
            f"judge:{name} names no llm.endpoints entry; known: {', '.join(names) or 'none'}; or give --base-url and --model"
        )

    def opened() -> Engine:
        from goldsmith.evaluate.engines.judge import JudgeEngine
        from goldsmith.llm import LlmGroup

        ledger.parent.mkdir(parents=True, exist_ok=True)
        return JudgeEngine(LlmGroup(config.llm, ledger, seed=config.seed), name, model.name, seed=config.seed)

    return opened


def _http(spec: str, model: EvalModelConfig) -> Callable[[], Engine]:
    name, _, url = spec.partition(":")
    if name not in DIALECTS:
        raise UserError(
            f"'{spec}': an address needs its dialect, as in vllm-chat:http://localhost:8000; known dialects: {', '.join(DIALECTS)}"
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise UserError(
            f"{name}: give the server's address alone, as http://host:port: no user, password or query; a key goes into an environment "
            "variable that --api-key-env names"
        )

    def opened() -> Engine:
        from goldsmith.evaluate.engines.http import HttpEngine

        return HttpEngine(DIALECTS[name], url, model, model.name)

    return opened


def _checkpoint(model: EvalModelConfig, scores: Path) -> Callable[[], Engine]:
    def opened() -> Engine:
        from goldsmith.evaluate.engines.checkpoint import open_checkpoint

        return open_checkpoint(model, scores)

    return opened
