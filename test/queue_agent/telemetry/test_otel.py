"""What a collector gets of a task: spans and metrics over OTLP, decoded by a real receiver."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from contract.metrics import METRICS
from contract.trace import TraceContext
from contract.wire import encode_task
from queue_agent.errors import TransientError
from queue_agent.runtimes.base import Job, Result
from queue_agent.telemetry.otel import ExportingTelemetry
from test.support.agents import assembled, worked
from test.support.world import ScriptedRuntime, World, a_result, a_task
from utils.local.otlp import Span, collecting

STAGES = ["receive", "hold", "run", "store", "notify", "delete"]


@pytest.fixture(autouse=True)
def _short_exports(short_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_agent.telemetry.otel.EXPORT_SECONDS", 1)


@dataclass
class Collector:
    """All that came."""

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)

    def tasks(self) -> list[Span]:
        """The deliveries, in order."""
        return sorted((span for span in self.spans if span.name == "task"), key=lambda span: span.begin)

    def below(self, parent: Span) -> list[Span]:
        """The stages of a delivery, in order."""
        return sorted((span for span in self.spans if span.parent_id == parent.span_id), key=lambda span: span.begin)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    async with collecting(collector.spans.append, collector.metrics.append) as endpoint:
        collector.endpoint = endpoint
        yield collector


@asynccontextmanager
async def exporting(
    collector: Collector, *, traces: bool = True, metrics: bool = True
) -> AsyncIterator[ExportingTelemetry]:
    telemetry = ExportingTelemetry(collector.endpoint, "r", traces=traces, metrics=metrics)
    try:
        yield telemetry
    finally:
        await asyncio.to_thread(telemetry.close)


async def send(world: World, context: TraceContext, task_id: str = "t1") -> None:
    await world.direct.sqs.send_message(
        QueueUrl=world.queue_url,
        MessageBody=encode_task(a_task(task_id)),
        MessageAttributes={"traceparent": {"DataType": "String", "StringValue": context.traceparent}},
    )


async def work(
    world: World, collector: Collector, runtime: ScriptedRuntime, deliveries: int = 1, **signals: bool
) -> None:
    """Take so many deliveries to their end, and send their telemetry."""
    async with exporting(collector, **signals) as telemetry, assembled(world, runtime, telemetry=telemetry) as parts:
        for _ in range(deliveries):
            await worked(parts)


async def test_the_stages_of_a_task_are_one_trace_in_order_below_the_sender(world: World, collector: Collector) -> None:
    # Given a task of a traced request
    sender = TraceContext.fresh()
    await send(world, sender)

    # When an agent works on it
    await work(world, collector, ScriptedRuntime())

    # Then
    (task,) = collector.tasks()
    assert (task.trace_id, task.parent_id) == (sender.trace_id, sender.span_id)
    stages = collector.below(task)
    assert [stage.name for stage in stages if stage.name != "wait"] == STAGES
    assert {span.trace_id for span in collector.spans} == {sender.trace_id}
    assert all(task.begin <= stage.begin <= stage.end <= task.end for stage in stages)
    assert {span.error for span in collector.spans} == {None}

    # And the attributes tell what it was
    attributes = {**task.attributes}
    assert attributes == {
        "runtime": "r",
        "task_id": "t1",
        "tasktype": "text-to-image",
        "receives": 1,
        "attempt": 1,
        "outcome": "deleted",
    }
    by_name = {stage.name: stage.attributes for stage in stages}
    assert by_name["run"] == {"attempt": 1, "model": "m", "outputs": 1}
    assert by_name["store"] == {"pictures": 1, "bytes": 17}


async def test_a_failure_and_its_redelivery_are_two_attempts_of_one_trace(world: World, collector: Collector) -> None:
    # Given a runtime that fails once
    failures = iter([TransientError("out-of-memory", "no memory left")])

    async def fail_once(_: Job) -> Result:
        for failure in failures:
            raise failure
        return a_result()

    sender = TraceContext.fresh()
    await send(world, sender)

    # When
    await work(world, collector, ScriptedRuntime(fail_once), deliveries=2)

    # Then
    first, second = collector.tasks()
    assert first.trace_id == second.trace_id == sender.trace_id
    assert first.parent_id == second.parent_id == sender.span_id
    assert (first.attributes["attempt"], first.attributes["outcome"]) == (1, "handed back")
    assert (second.attributes["attempt"], second.attributes["outcome"]) == (2, "deleted")
    assert first.error == "out-of-memory: no memory left"
    assert second.error is None
    failed = {stage.name: stage for stage in collector.below(first)}
    assert failed["run"].error == first.error
    assert "store" not in failed
    assert first.end <= second.begin


async def test_a_stage_that_fails_in_an_unforeseen_way_tells_no_values(world: World, collector: Collector) -> None:
    async def break_down(_: Job) -> Result:
        raise ValueError("a secret prompt")

    await send(world, TraceContext.fresh())
    await work(world, collector, ScriptedRuntime(break_down))
    (run,) = [span for span in collector.spans if span.name == "run"]
    assert run.error == "ValueError"


async def test_a_sender_that_is_not_sampled_leaves_no_span(world: World, collector: Collector) -> None:
    sender = TraceContext.fresh()
    await send(world, TraceContext(sender.trace_id, sender.span_id, sampled=False))
    await work(world, collector, ScriptedRuntime())
    assert collector.spans == []


async def test_a_message_without_a_trace_begins_one(world: World, collector: Collector) -> None:
    await world.ask()
    await work(world, collector, ScriptedRuntime())
    (task,) = collector.tasks()
    assert task.parent_id == ""
    assert abs(int(task.trace_id[:8], 16) - time.time()) < 600, "X-Ray takes ids that begin with the time"


async def test_xrays_header_comes_before_the_attribute(world: World, collector: Collector) -> None:
    # Given a message as SNS hands it on when X-Ray traces
    sender, other = TraceContext.fresh(), TraceContext.fresh()
    await world.direct.sqs.send_message(
        QueueUrl=world.queue_url,
        MessageBody=encode_task(a_task()),
        MessageAttributes={"traceparent": {"DataType": "String", "StringValue": other.traceparent}},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": sender.xray}},
    )
    # When
    await work(world, collector, ScriptedRuntime())
    # Then
    (task,) = collector.tasks()
    assert (task.trace_id, task.parent_id) == (sender.trace_id, sender.span_id)


async def test_the_collector_gets_the_metrics_that_are_documented(world: World, collector: Collector) -> None:
    await send(world, TraceContext.fresh())
    await work(world, collector, ScriptedRuntime())
    names = {metric.name for metric in METRICS}
    assert set(collector.metrics) <= names
    assert {"tasks_total", "run_seconds", "queue_wait_seconds", "gpu_busy_seconds_total", "runtime_ready"} <= set(
        collector.metrics
    )


async def test_either_signal_can_be_left_out(world: World, collector: Collector) -> None:
    await world.ask("a")
    await work(world, collector, ScriptedRuntime(), traces=False)
    assert collector.spans == []
    assert collector.metrics

    collector.metrics.clear()
    await world.ask("b")
    await work(world, collector, ScriptedRuntime(), metrics=False)
    assert collector.spans
    assert collector.metrics == []


async def test_a_collector_that_is_away_costs_no_task(world: World) -> None:
    await world.ask()
    await work(world, Collector("http://127.0.0.1:1"), ScriptedRuntime())
    assert [callback["result"] for callback in await world.callbacks()] == [True]
