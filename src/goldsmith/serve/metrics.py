"""What Prometheus reads at /metrics; labels are names of models, dialects and routes, never anything a client sent."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class Metrics:
    """The server's counters, in a registry of their own."""

    def __init__(self) -> None:
        """Declare every metric."""
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "goldsmith_requests", "Requests by what became of them.", ["dialect", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "goldsmith_request_seconds", "Time from head to answer.", ["dialect", "route"], buckets=SECONDS, registry=registry
        )
        self.refusals = Counter("goldsmith_refusals", "Requests that got no score, by reason.", ["code"], registry=registry)
        self.items = Counter("goldsmith_items", "Conversations scored.", ["model"], registry=registry)
        self.tokens = Counter("goldsmith_tokens", "Tokens of scored conversations.", ["model"], registry=registry)
        self.truncated = Counter("goldsmith_truncated", "Conversations that were cut.", ["model"], registry=registry)
        self.computed = Counter("goldsmith_computed_tokens", "Tokens that were computed.", ["model"], registry=registry)
        self.reused = Counter(
            "goldsmith_reused_tokens", "Tokens whose states came from earlier requests.", ["model"], registry=registry
        )
        self.cancelled = Counter("goldsmith_cancelled", "Requests whose client went away.", registry=registry)
        self.batches = Histogram("goldsmith_batch_seconds", "Time of a batch.", ["model"], buckets=SECONDS, registry=registry)
        self.batch_tokens = Histogram(
            "goldsmith_batch_tokens", "Tokens of a batch.", ["model"], buckets=TOKENS, registry=registry
        )
        self.waited = Histogram(
            "goldsmith_queue_seconds", "Time a conversation waited for a worker.", ["model"], buckets=SECONDS, registry=registry
        )
        self.waiting = Gauge("goldsmith_waiting_tokens", "Tokens that wait for a worker.", ["model"], registry=registry)
        self.lost = Counter("goldsmith_workers_lost", "Workers that died, hung or failed.", ["model"], registry=registry)
        self.reloads = Counter("goldsmith_reloads", "Reloads of a model.", ["model", "outcome"], registry=registry)
        self.active = Gauge("goldsmith_active_requests", "Requests being answered.", registry=registry)

    def batch_started(self, model: str, waited_s: Sequence[float], tokens: int) -> None:
        """Count a batch that a worker took."""
        self.batch_tokens.labels(model).observe(tokens)
        for seconds in waited_s:
            self.waited.labels(model).observe(seconds)

    def batch_done(self, model: str, seconds: float, computed: int, reused: int) -> None:
        """Count a batch that a worker answered."""
        self.batches.labels(model).observe(seconds)
        self.computed.labels(model).inc(computed)
        self.reused.labels(model).inc(reused)

    def worker_lost(self, model: str) -> None:
        """Count a worker that was lost."""
        self.lost.labels(model).inc()

    def text(self) -> bytes:
        """Return all of them in Prometheus's text format."""
        return generate_latest(self.registry)
