"""An agent put together as the entry point does it, around a runtime of the test's choice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from contract.runtimes import RuntimeType
from queue_agent.agent import Agent
from queue_agent.ending import Ending
from queue_agent.fetch import Fetcher, Limits
from queue_agent.metrics import Metrics
from queue_agent.notify import Notifier
from queue_agent.process import Prepared, Processor
from queue_agent.queue import Lease, Queue
from queue_agent.readiness import Readiness
from queue_agent.runtimes.base import Runtime
from queue_agent.stop import Stop
from queue_agent.store import Store
from queue_agent.telemetry import Telemetry
from test.support.agent import World, running, until


@dataclass(frozen=True)
class Parts:
    """The collaborators of one agent."""

    queue: Queue
    store: Store
    ending: Ending
    processor: Processor
    readiness: Readiness
    agent: Agent
    stop: Stop = field(default_factory=Stop)


@asynccontextmanager
async def assembled(world: World, runtime: Runtime, **settings: Any) -> AsyncIterator[Parts]:
    """``settings``: lease_seconds, task_timeout, max_attempts, grace, away_limit, running_callbacks, limits, telemetry.

    All but the last two are named as in the agent's Settings.
    """
    lease_seconds = settings.get("lease_seconds", 60)
    max_attempts = settings.get("max_attempts", 3)
    limits = settings.get("limits", Limits(max_bytes=1_000_000, timeout=5, buckets=frozenset({world.bucket})))
    telemetry = settings.get("telemetry") or Telemetry(Metrics("r"))
    async with Fetcher(world.clients.s3, limits) as fetcher:
        queue = Queue(world.clients.sqs, world.queue_url, world.dead_letter_url, lease_seconds, telemetry=telemetry)
        store = Store(world.clients.s3, world.bucket)
        notifier = Notifier(world.clients.sns, world.topic_arn)
        ending = Ending(
            queue=queue,
            store=store,
            notifier=notifier,
            metrics=telemetry.metrics,
            runtime_name="r",
            max_attempts=max_attempts,
        )
        processor = Processor(
            runtime=runtime,
            runtime_type=RuntimeType.SDWEBUI,
            fetcher=fetcher,
            store=store,
            notifier=notifier,
            ending=ending,
            bucket=world.bucket,
            task_timeout=settings.get("task_timeout", 60),
            max_attempts=max_attempts,
            running_callbacks=settings.get("running_callbacks", False),
        )
        stop = Stop()
        readiness = Readiness(runtime, settings.get("away_limit", 60))
        agent = Agent(
            queue=queue,
            processor=processor,
            runtime=runtime,
            readiness=readiness,
            stop=stop,
            grace=settings.get("grace", 60),
            gpu=telemetry.metrics.gpu,
            cost=settings.get("cost"),
        )
        yield Parts(queue, store, ending, processor, readiness, agent, stop)


@asynccontextmanager
async def at_work(parts: Parts) -> AsyncIterator[asyncio.Task[None]]:
    """The agent at work; stopped and waited for at the end."""
    async with running(parts.agent.run()) as task:
        yield task
        if not parts.stop.requested.is_set():
            parts.stop.request()
        await asyncio.wait_for(task, 30)


async def held(world: World, number: int) -> bool:
    """Whether so many messages are held."""
    return (await world.depth())[1] == number


async def told(world: World, number: int) -> list[dict[str, Any]]:
    """The callbacks, once there are so many."""
    callbacks = await world.callbacks()
    return callbacks if len(callbacks) >= number else []


async def received(parts: Parts) -> Lease:
    """The next message."""
    lease: Lease = await until(parts.queue.receive)
    return lease


async def worked(parts: Parts) -> None:
    """One message through all stages, as the agent would take it."""
    prepared = await parts.processor.prepare(await received(parts))
    if prepared is not None:
        await ran(parts, prepared)


async def ran(parts: Parts, prepared: Prepared) -> None:
    """A prepared task through its run and its ending."""
    result = await parts.processor.run(prepared, parts.stop)
    if result is not None:
        await parts.processor.finish(prepared.delivery, result, 1.25)


def key_of(url: str) -> str:
    """The object's key in an s3 URL."""
    return url.removeprefix("s3://").partition("/")[2]


async def killed(task: asyncio.Task[None], parts: Parts, prepared: Prepared) -> None:
    """As SIGKILL would: nothing is handed back, the lease just runs out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("queue_agent.ending.Ending.hand_back", _nothing)
        patch.setattr("queue_agent.ending.Ending.settle", _nothing)
        task.cancel()
        await asyncio.wait([task])
    await parts.queue.drop(prepared.delivery.lease)


async def _nothing(*_: object) -> None:
    return
