"""Optional OpenTelemetry traces: one span a request, with counts and names, never with texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from goldsmith.errors import UserError


class Tracing:
    """Makes spans, or nothing when it is off."""

    def __init__(self, provider: Any = None) -> None:
        """Use a tracer provider; none: spans are off."""
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("goldsmith.serve")

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Yield the span of a request, a child of the one its `traceparent` header names; None when traces are off."""
        if self._tracer is None:
            yield None
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        # An exception's text may quote what a client sent, so none is recorded.
        with self._tracer.start_as_current_span(
            name,
            context=extract(dict(headers)),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span

    def close(self) -> None:
        """Send the spans that wait to be sent; those of the last seconds before a stop are the ones that somebody asks for."""
        if self._provider is not None:
            self._provider.shutdown()


def open_tracing(is_on: bool) -> Tracing:
    """Return tracing as OpenTelemetry's own environment variables (OTEL_*) set it up.

    Raises:
        UserError: it is wanted and not installed.
    """
    if not is_on:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UserError(f"telemetry needs OpenTelemetry ({error.name} is missing): pip install 'goldsmith[telemetry]'") from None
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the name given here.
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "goldsmith")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
