"""A collector for one machine: takes OTLP over HTTP and hands each span on, as plain data."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from utils.local.ports import LOOPBACK

PROTOBUF = "application/x-protobuf"
MAX_REQUEST_BYTES = 16 * 1024 * 1024
NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Span:
    """One stage of one task. ``begin`` and ``end`` in seconds of the wall clock; ``error`` None when it went well."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    begin: float
    end: float
    attributes: Mapping[str, Any]
    error: str | None

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@asynccontextmanager
async def collecting(
    on_span: Callable[[Span], None], on_metric: Callable[[str], None] | None = None, *, port: int = 0
) -> AsyncIterator[str]:
    """Serve on loopback; yields the endpoint. ``on_metric`` gets the name of each metric that comes."""

    async def traces(request: web.Request) -> web.Response:
        try:
            exported = ExportTraceServiceRequest.FromString(await request.read())
        except DecodeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        for span in _spans(exported):
            on_span(span)
        return _answer(ExportTraceServiceResponse().SerializeToString())

    async def metrics(request: web.Request) -> web.Response:
        try:
            exported = ExportMetricsServiceRequest.FromString(await request.read())
        except DecodeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        for resource in exported.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if on_metric is not None:
                        on_metric(metric.name)
        return _answer(ExportMetricsServiceResponse().SerializeToString())

    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.add_routes([web.post("/v1/traces", traces), web.post("/v1/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=PROTOBUF)


def _spans(exported: ExportTraceServiceRequest) -> Iterable[Span]:
    for resource in exported.resource_spans:
        service = _values(resource.resource.attributes).get("service.name", "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, service)


def _span(span: SpanMessage, service: str) -> Span:
    failed = span.status.code == Status.STATUS_CODE_ERROR
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        service=service,
        name=span.name,
        begin=span.start_time_unix_nano / NANOSECONDS,
        end=span.end_time_unix_nano / NANOSECONDS,
        attributes=_values(span.attributes),
        error=span.status.message or "failed" if failed else None,
    )


def _values(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
