"""Optional OpenTelemetry traces: one span a request, with counts and names, never with texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from goldsmith.errors import UserError


class Tracing:
    """Makes spans, or nothing when it is off."""

    def __init__(self, provider: Any = None) -> None:
        """Use a tracer provider; none: spans are off."""
        self._tracer = None if provider is None else provider.get_tracer("goldsmith.serve")

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Yield the span of a request, a child of the one its `traceparent` header names; None when traces are off."""
        if self._tracer is None:
            yield None
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        with self._tracer.start_as_current_span(name, context=extract(dict(headers)), kind=SpanKind.SERVER) as span:
            yield span


def open_tracing(is_on: bool) -> Tracing:
    """Return tracing as OpenTelemetry's own environment variables (OTEL_*) set it up.

    Raises:
        UserError: it is wanted and not installed.
    """
    if not is_on:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UserError(
            f"telemetry needs OpenTelemetry ({error.name} is missing): pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        ) from None
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
