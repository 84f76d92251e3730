"""The served models by name; a new version takes over when it is loaded and checked, and the old one finishes what it has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from goldsmith.config.serve import ServeConfig
from goldsmith.errors import GoldsmithError, UserError
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.pool import ModelPool
from goldsmith.serve.problem import Refusal, unavailable

LOG = logging.getLogger("goldsmith.serve")


class Models:
    """Every model of a server; the first is the one that requests without a name get."""

    def __init__(self, paths: Mapping[str, str | Path], config: ServeConfig, metrics: Metrics) -> None:
        """Name the models.

        Raises:
            UserError: there is none.
        """
        if not paths:
            raise UserError("no model to serve; name one, `goldsmith serve MODEL`")
        self._paths = {name: str(path) for name, path in paths.items()}
        self._config, self._metrics = config, metrics
        self._pools: dict[str, ModelPool] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()

    async def open(self) -> None:
        """Load all of them.

        Raises:
            UserError: one cannot be used.
        """
        for name, path in self._paths.items():
            self._pools[name] = await ModelPool.open(name, path, self._config, self._metrics)

    def get(self, name: str | None) -> ModelPool:
        """Return the model a request asks for; the first when it names none, or names a model by its folder.

        Raises:
            Refusal: 404, there is no such model; 503, it is not loaded yet.
        """
        known = name or next(iter(self._paths))
        if known not in self._paths:
            known = next((own for own, path in self._paths.items() if path == name), "")
        if not known:
            raise Refusal(404, "no-such-model", f"there is no model of that name; served are {', '.join(self._paths)}")
        if known not in self._pools:
            raise Refusal(503, "loading", "the model is being loaded; try again later", retry_after_s=2.0)
        return self._pools[known]

    def all(self) -> list[ModelPool]:
        """Return the loaded models."""
        return list(self._pools.values())

    @property
    def is_ready(self) -> bool:
        """Every model has a worker."""
        return len(self._pools) == len(self._paths) and all(pool.is_ready for pool in self._pools.values())

    async def reload(self, name: str | None, path: str | None) -> tuple[ModelPool, ModelPool]:
        """Load a new version beside the old one, let it take over, and return the old one and the new one.

        Args:
            name: of the served model; none: the first.
            path: folder of the new version; none: the same folder again.

        Raises:
            Refusal: no such model, a path that is not allowed, a model that cannot be used (409), or a worker that was lost while it
                loaded (503); the old one goes on answering.
        """
        async with self._reloading:
            old = self.get(name)
            wanted = old.path if path is None else str(self._allowed(path))
            try:
                new = await ModelPool.open(old.name, wanted, self._config, self._metrics)
            except GoldsmithError as error:
                self._metrics.reloads.labels(old.name, "refused").inc()
                LOG.error("reload refused: %s", error, extra={"event": "reload-refused", "model": old.name})
                if isinstance(error, UserError):
                    raise Refusal(409, "model-refused", str(error)) from None
                raise unavailable("worker-lost", f"the new version was not loaded: {error}; try again", 5.0) from None
            self._pools[old.name] = new
            self._metrics.reloads.labels(old.name, "done").inc()
            LOG.info("reloaded", extra={"event": "reloaded", "model": old.name, "digest": new.digest})
            task = asyncio.create_task(old.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            return old, new

    async def close(self) -> None:
        """Answer what waits, then end every worker."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()), *self._closing, return_exceptions=True)

    async def kill(self) -> None:
        """End every worker at once."""
        await asyncio.gather(*(pool.kill() for pool in self._pools.values()), return_exceptions=True)

    def _allowed(self, path: str) -> Path:
        """Return a folder that a reload may load.

        Raises:
            Refusal: 403, it is outside the allowed ones.
        """
        roots = [Path(root).resolve() for root in self._config.allow_models]
        own = [Path(known).resolve() for known in self._paths.values()]
        try:
            found = Path(path).resolve()
            if found.is_dir() and (found in own or any(found.is_relative_to(root) for root in roots)):
                return found
        except (OSError, ValueError, RuntimeError):
            # Too long a name, a zero byte, links that lead in a circle.
            pass
        raise Refusal(403, "path-not-allowed", "that is no model folder within those the server may load (--allow-models)")
