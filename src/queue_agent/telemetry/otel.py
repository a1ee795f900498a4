"""Telemetry that exports: spans and metrics as OTLP over HTTP, from threads of their own.

Only imported when there is an endpoint, since the SDK costs 25 MB and half a second. What the SDK itself reads of its
standard variables (OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, OTEL_BSP_…, OTEL_METRIC_EXPORT_INTERVAL,
OTEL_EXPORTER_OTLP_HEADERS) holds here too.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    format_trace_id,
    set_span_in_context,
)

from contract.metrics import METRICS, Kind, Metric
from contract.trace import TraceContext
from queue_agent.errors import AgentError
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Attribute, Span, Telemetry, Trace

SERVICE = "queue-agent"
RESOURCE = Resource({"service.name": SERVICE})
SCOPE = InstrumentationScope(SERVICE)
SPAN_ID_BITS = 64

EXPORT_SECONDS = 3
"""For one export of each kind, also for the last when the agent stops: a collector that is away must not hold a pod."""

DELTA: dict[type, AggregationTemporality] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    ObservableCounter: AggregationTemporality.DELTA,
}
"""CloudWatch adds up what comes, and would take a total for what was added."""

SPREAD: dict[type, Aggregation] = {Histogram: ExponentialBucketHistogramAggregation()}
"""The collector turns these into values and counts, of which CloudWatch tells percentiles."""


class ExportedSpan(Span):
    """A stage that is a span too, made whole when it is over."""

    def __init__(
        self, name: str, metrics: Metrics, trace: "ExportedTrace", attributes: Mapping[str, Attribute]
    ) -> None:
        super().__init__(name, metrics)
        self._name = name
        self._trace = trace
        self._attributes = dict(attributes)
        self._bytes = 0
        self._start = time.time_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._bytes:
            self._attributes["bytes"] = self._bytes
        self._trace.stage(self._name, self._start, time.time_ns(), self._attributes, error)

    def note(self, **attributes: Attribute) -> None:
        self._attributes |= attributes

    def carry(self, metric: Metric, size: int) -> None:
        super().carry(metric, size)
        self._bytes += size


class ExportedTrace(Trace):
    """A delivery that is a span, with its stages below it.

    The SDK decides whether the delivery is kept, and gives it its place in the trace. Its stages follow it in that, so
    they are made without the SDK asking itself again: a tenth of the CPU, eight times a task.
    """

    def __init__(
        self,
        metrics: Metrics,
        tracer: Tracer,
        processor: SpanProcessor,
        context: TraceContext | None,
        *,
        sent: float,
        began: float,
    ) -> None:
        super().__init__(metrics, context, sent)
        self._processor = processor
        self._span = tracer.start_span(
            "task", _parent(context), SpanKind.CONSUMER, {"runtime": metrics.runtime}, start_time=_nanoseconds(began)
        )
        self._own = self._span.get_span_context()
        self.trace_id = format_trace_id(self._own.trace_id)

    def span(self, name: str, **attributes: Attribute) -> Span:
        return ExportedSpan(name, self._metrics, self, attributes)

    def record(self, name: str, began: float, ended: float) -> None:
        self.stage(name, _nanoseconds(began), _nanoseconds(ended), {}, None)

    def stage(
        self, name: str, start: int, end: int, attributes: Mapping[str, Attribute], error: BaseException | None
    ) -> None:
        """A stage that is over; ``start`` and ``end`` in nanoseconds of the wall clock."""
        if not self._own.trace_flags.sampled:
            return
        span_id = secrets.randbits(SPAN_ID_BITS) or 1
        self._processor.on_end(
            ReadableSpan(
                name,
                SpanContext(self._own.trace_id, span_id, is_remote=False, trace_flags=self._own.trace_flags),
                self._own,
                RESOURCE,
                {key: value for key, value in attributes.items() if value is not None},
                kind=SpanKind.CLIENT,
                status=Status(StatusCode.ERROR, _said(*_told(error))) if error is not None else Status(),
                start_time=start,
                end_time=end,
                instrumentation_scope=SCOPE,
            )
        )

    def note(self, **attributes: Attribute) -> None:
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def error(self, type_: str, message: str) -> None:
        self._span.add_event("exception", {"exception.type": type_, "exception.message": message})
        self._span.set_status(StatusCode.ERROR, _said(type_, message))

    def end(self, outcome: str, *, final: bool) -> None:
        super().end(outcome, final=final)
        if self._span.is_recording():
            self._span.set_attribute("outcome", outcome)
            self._span.end()


class ExportedMetrics(Metrics):
    """Counts for the collector too. Labels are made ready once, since a task counts often."""

    def __init__(self, runtime: str, provider: MeterProvider) -> None:
        super().__init__(runtime)
        meter = provider.get_meter(SERVICE)
        self._counters = {
            metric: meter.create_counter(metric.name, metric.unit, metric.meaning)
            for metric in METRICS
            if metric.kind is Kind.COUNTER and metric not in self.gpu.values()
        }
        self._histograms = {
            metric: meter.create_histogram(metric.name, metric.unit, metric.meaning)
            for metric in METRICS
            if metric.kind is Kind.HISTOGRAM
        }
        for metric in self.gpu.values():
            make = meter.create_observable_counter if metric.kind is Kind.COUNTER else meter.create_observable_gauge
            make(metric.name, [self._watch(metric)], metric.unit, metric.meaning)
        for metric in self.gauges:
            meter.create_observable_gauge(metric.name, [self._watch_gauge(metric)], metric.unit, metric.meaning)
        self._own = {"runtime": runtime}

    def add(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        super().add(metric, *labels, amount=amount)
        self._counters[metric].add(amount, {**self._own, **dict(zip(metric.labels, labels, strict=True))})

    def observe(self, metric: Metric, seconds: float) -> None:
        super().observe(metric, seconds)
        self._histograms[metric].record(seconds, self._own)

    def _watch(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [Observation(self.gpu.values()[metric], {"runtime": self.runtime})]

    def _watch_gauge(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [Observation(self.gauges[metric], {"runtime": self.runtime})]


class ExportingTelemetry(Telemetry):
    """To the collector at ``endpoint`` (http://host:4318). Closed once, by ``close``."""

    def __init__(self, endpoint: str, runtime: str, *, traces: bool, metrics: bool) -> None:
        base = endpoint.rstrip("/")
        self._tracing = TracerProvider(resource=RESOURCE, id_generator=AwsXRayIdGenerator(), shutdown_on_exit=False)
        self._processor: SpanProcessor | None = None
        if traces:
            self._processor = BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=EXPORT_SECONDS))
            self._tracing.add_span_processor(self._processor)
        readers = (
            [
                PeriodicExportingMetricReader(
                    OTLPMetricExporter(
                        f"{base}/v1/metrics",
                        timeout=EXPORT_SECONDS,
                        preferred_temporality=DELTA,
                        preferred_aggregation=SPREAD,
                    )
                )
            ]
            if metrics
            else []
        )
        self._metering = MeterProvider(readers, RESOURCE, shutdown_on_exit=False)
        super().__init__(ExportedMetrics(runtime, self._metering) if metrics else Metrics(runtime))
        self._tracer = self._tracing.get_tracer(SERVICE)

    def close(self) -> None:
        self._tracing.shutdown()
        self._metering.shutdown()

    def _trace(self, context: TraceContext | None, *, sent: float, began: float) -> Trace:
        if self._processor is None:
            return super()._trace(context, sent=sent, began=began)
        return ExportedTrace(self.metrics, self._tracer, self._processor, context, sent=sent, began=began)


def _parent(context: TraceContext | None) -> Context:
    if context is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    sender = SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(sender), Context())


def _told(error: BaseException) -> tuple[str, str]:
    """Type and message. What no fault of ours says may hold anything, a prompt too, and is left out."""
    return (error.type, error.message) if isinstance(error, AgentError) else (type(error).__name__, "")


def _said(type_: str, message: str) -> str:
    return f"{type_}: {message}" if message else type_


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
