"""An agent put together as the entry point does it, around a runtime of the test's choice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from queue_agent.app import App, assemble
from queue_agent.aws.lease import Lease
from queue_agent.inputs.fetcher import Fetcher, Limits
from queue_agent.lifecycle.pod_deletion_cost import DeletionCost
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.outcome.delivery_retry import RetryTimings
from queue_agent.processing.stages import Completed, Failed, Prepared
from queue_agent.runtimes.base import Runtime
from queue_agent.settings import Timings, read_settings
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.world import World, running, until

QUICK = Timings(away_poll=0.05, ready_poll=0.2, trial_pauses=(0.2,))
"""Waits of the agent, for tests."""
BEATING = replace(QUICK, beat=0.1, look=5.0)
"""A run beats often, and a look at the task table is waited for however slow the machine is."""
BLIND = replace(BEATING, look=0.0)
"""No look is waited for, as with a table that is far away."""
QUICK_RETRIES = RetryTimings(first_pause=0.05, longest_pause=0.2, suspend_after=0.2)


@dataclass(frozen=True)
class Assembled(App):
    """One agent, its parts, and what stops it."""

    stop: Shutdown


@asynccontextmanager
async def assembled(
    world: World,
    runtime: Runtime,
    *,
    limits: Limits | None = None,
    telemetry: Telemetry | None = None,
    cost: DeletionCost | None = None,
    timings: Timings = QUICK,
    retry_timings: RetryTimings = QUICK_RETRIES,
    **settings: Any,
) -> AsyncIterator[Assembled]:
    """``settings`` by their names in the agent's Settings; they are not checked, so that tests can be quick."""
    agent_settings = read_settings(
        {
            "AWS_DEFAULT_REGION": "us-east-1",
            "SQS_QUEUE_URL": world.queue_url,
            "DEAD_LETTER_QUEUE_URL": world.dead_letter_url,
            "SNS_TOPIC_ARN": world.topic_arn,
            "S3_BUCKET": world.bucket,
            "RUNTIME_TYPE": "sdwebui",
            "RUNTIME_NAME": "r",
            "API_BASE_URL": "http://127.0.0.1:9",
            "TASKS_TABLE": world.table or "",
        }
    ).model_copy(update=settings)
    limits = limits or Limits(max_bytes=1_000_000, timeout=5, buckets=frozenset({world.bucket}), retry_pause=0.02)
    async with Fetcher(world.clients.s3, limits) as fetcher:
        stop = Shutdown()
        parts = assemble(
            agent_settings,
            world.clients,
            runtime=runtime,
            fetcher=fetcher,
            telemetry=telemetry or Telemetry(Metrics("r")),
            shutdown=stop,
            cost=cost,
            timings=timings,
            retry_timings=retry_timings,
        )
        yield Assembled(**{field.name: getattr(parts, field.name) for field in fields(parts)}, stop=stop)


@asynccontextmanager
async def at_work(parts: Assembled) -> AsyncIterator[asyncio.Task[None]]:
    """The agent at work; stopped and waited for at the end."""
    async with running(parts.agent.run()) as task:
        yield task
        if not parts.stop.requested.is_set():
            parts.stop.request()
        await asyncio.wait_for(task, 30)


async def held(world: World, number: int) -> bool:
    """Whether so many messages are held."""
    return (await world.depth())[1] == number


async def callbacks_of(world: World, number: int) -> list[dict[str, Any]]:
    """The callbacks, once there are so many."""
    callbacks = await world.callbacks()
    return callbacks if len(callbacks) >= number else []


async def received(parts: Assembled) -> Lease:
    """The next message."""
    lease: Lease = await until(parts.queue.receive)
    return lease


async def worked(parts: Assembled) -> None:
    """One message through all stages, as the agent would take it."""
    prepared = await parts.processor.prepare(await received(parts))
    if prepared is not None:
        await ran(parts, prepared)
    await parts.processor.refusals.below(1)


async def ran(parts: Assembled, prepared: Prepared) -> None:
    """A prepared task through its run and its ending."""
    match await parts.processor.run(prepared, parts.stop):
        case Completed() as completed:
            failed = await parts.processor.finish(replace(completed, seconds=1.25))
            if failed is not None:
                await parts.processor.settle(failed, counted=True)
        case Failed() as failed:
            await parts.processor.settle(failed, counted=True)


def key_of(url: str) -> str:
    """The object's key in an s3 URL."""
    return url.removeprefix("s3://").partition("/")[2]


async def killed(task: asyncio.Task[None], parts: Assembled, prepared: Prepared) -> None:
    """As SIGKILL would: nothing is handed back, the lease just runs out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("queue_agent.outcome.finisher.TaskFinisher.release", _nothing)
        patch.setattr("queue_agent.outcome.finisher.TaskFinisher.settle", _nothing)
        task.cancel()
        await asyncio.wait([task])
    await parts.queue.abandon(prepared.delivery.lease)


async def _nothing(*_: object) -> None:
    return
