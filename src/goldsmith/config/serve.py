"""Everything that can be set about the reward server, with safe defaults: loopback, bounded, patient with slow machines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from goldsmith.config.base import Section

Dialect = Literal["goldsmith", "vllm", "sglang", "tei", "cohere", "openrlhf", "verl", "llamafactory"]


class ServeConfig(Section):
    """One server: where it listens, what it computes with, what it refuses."""

    host: str = "127.0.0.1"
    """Address to listen on; one that others can reach needs `keys_file`."""
    port: int = Field(default=8600, ge=0, le=65535)
    """Port; 0: any free one."""
    dialect: Dialect = "vllm"
    """Whose shapes the paths have that several dialects share; every dialect is also under `/<dialect>/`."""
    engine: Literal["auto", "torch", "onnx", "openvino"] = "auto"
    """What computes the model; `auto`: what its folder was exported for, else torch."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the trunk; `auto`: bfloat16 where the processor multiplies it natively, else float32."""
    max_length: int | None = Field(default=None, ge=16)
    """Tokens of a conversation at most; none: what the model was trained with."""
    pooling: Literal["last", "as-published"] | None = None
    """Where the reward is read; none: as the model says."""
    replicas: int = Field(default=1, ge=1, le=64)
    """Worker processes of each model."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of each worker; none: the processors divided by the replicas."""
    token_budget: int | None = Field(default=None, ge=64)
    """Tokens of one batch; none: 1,024 on a CPU, 16,384 on a GPU."""
    batch_wait_ms: float = Field(default=4.0, ge=0.0, le=1000.0)
    """How long an idle worker waits for more work before it begins with less than a full batch."""
    prefix_cache_mb: int = Field(default=512, ge=0)
    """Keys and values of earlier conversations that each worker keeps, MiB; 0: none."""
    max_queue_s: float = Field(default=4.0, gt=0.0)
    """Requests are refused while the waiting work would take longer than this at the measured speed."""
    min_queue_items: int = Field(default=64, ge=1)
    """As many conversations may wait in any case."""
    max_queue_tokens: int = Field(default=2_000_000, ge=1)
    """Tokens that may wait in any case, before any speed was measured."""
    request_timeout_s: float = Field(default=120.0, gt=0.0)
    """A request that is not answered by then is refused as retryable."""
    batch_timeout_s: float = Field(default=300.0, gt=0.0)
    """A worker that computes longer than this on one batch is replaced."""
    start_timeout_s: float = Field(default=600.0, gt=0.0)
    """A worker that has not loaded its model by then is given up."""
    max_body_mb: float = Field(default=8.0, gt=0.0)
    """Size of a request's body."""
    max_items: int = Field(default=256, ge=1)
    """Conversations of one request."""
    header_timeout_s: float = Field(default=10.0, gt=0.0)
    """A connection that has not sent a whole request head by then is closed."""
    body_timeout_s: float = Field(default=30.0, gt=0.0)
    """A request whose body has not arrived by then is refused."""
    max_connections: int = Field(default=2048, ge=1)
    """Requests at the same time, above which new ones are refused; twice as many connections may be open."""
    drain_s: float = Field(default=30.0, ge=0.0)
    """Time that accepted requests have to finish after SIGTERM."""
    truncate: bool = False
    """Cut conversations that are too long, where the request does not say; else they are refused."""
    keys_file: Path | None = None
    """API keys, hashed, as `goldsmith serve-key` writes them; read again when it changes."""
    without_keys: bool = False
    """Listen on an address that others can reach without any key."""
    allow_models: list[Path] = Field(default_factory=list)
    """Folders within which a reload may find a new version; the models named at the start are always allowed."""
    remote_code: list[str] = Field(default_factory=list)
    """Digests of code that may run when a model comes with its own class, each of one revision; the refusal to load it names the digest."""
    tls_cert: Path | None = None
    """Certificate (PEM); with `tls_key`, the server speaks HTTPS."""
    tls_key: Path | None = None
    """Key of the certificate (PEM)."""
    telemetry: bool = False
    """OpenTelemetry traces, to wherever the OTEL_* environment variables say."""
