"""API Gateway's part of a trace, as X-Ray would record it: one span a request, whose id is passed to the handler."""

import asyncio
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from contract.trace import XRAY_HEADER, TraceContext
from utils.local.gateway import Handler
from utils.local.lambda_proxy import LambdaContext

SERVICE = "front-door"


class TracedHandler:
    """A handler around ``handler``. ``endpoint`` takes OTLP over HTTP; ``close`` sends what is held."""

    def __init__(self, handler: Handler, endpoint: str) -> None:
        self._handler = handler
        self._provider = TracerProvider(
            resource=Resource({"service.name": SERVICE}), id_generator=AwsXRayIdGenerator(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=5))
        )
        self._tracer = self._provider.get_tracer(SERVICE)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        with self._tracer.start_as_current_span(f"POST {event['resource']}", kind=SpanKind.SERVER) as span:
            own = span.get_span_context()
            parent = TraceContext(format_trace_id(own.trace_id), format_span_id(own.span_id), own.trace_flags.sampled)
            event["headers"][XRAY_HEADER] = parent.xray
            answer = self._handler(event, context)
            span.set_attribute("http.response.status_code", answer["statusCode"])
            return answer

    async def close(self) -> None:
        await asyncio.to_thread(self._provider.shutdown)
