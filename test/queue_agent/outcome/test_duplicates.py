"""Messages that the front door sent twice: a request is one task, and has one callback."""

import time
import uuid
from dataclasses import dataclass

import pytest

from contract.task import Task
from contract.wire import REPEAT, REPEAT_ATTRIBUTE, REQUEST_ID_ATTRIBUTE, decode, encode_task
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.duplicates import MARGIN_SECONDS, Duplicates
from queue_agent.outcome.store import Attempts
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import Assembled, assembled, ran, received
from test.support.world import ScriptedRuntime, World, a_task
from utils.local.aws_proxy import Conditions

pytestmark = pytest.mark.usefixtures("short_polls")

TASK_TIMEOUT = 60.0
REQUEST = str(uuid.UUID(int=7))


async def publish(world: World, *, repeat: bool, request_id: str = REQUEST, task: Task | None = None) -> str:
    """Put a message of the request in the queue, as SNS delivers it; returns the message's id."""
    attributes = {REQUEST_ID_ATTRIBUTE: request_id, **({REPEAT_ATTRIBUTE: REPEAT} if repeat else {})}
    sent = await world.direct.sqs.send_message(
        QueueUrl=world.queue_url,
        MessageBody=encode_task(task or a_task()),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    return sent["MessageId"]


@dataclass
class Agent:
    """An agent, and what it dismisses duplicates by."""

    parts: Assembled
    duplicates: Duplicates

    async def delivery(self) -> Delivery:
        lease = await received(self.parts)
        return self.parts.processor.open(lease, decode(lease.body))


def an_agent(parts: Assembled) -> Agent:
    return Agent(parts, Duplicates(store=parts.store, finisher=parts.finisher, task_timeout=TASK_TIMEOUT))


async def test_an_ordinary_task_is_not_examined(world: World, conditions: Conditions) -> None:
    # Given a message without the mark
    await publish(world, repeat=False)
    async with assembled(world, ScriptedRuntime()) as parts:
        agent = an_agent(parts)
        delivery = await agent.delivery()
        before = conditions.calls.total()
        # Then it runs, and nothing is asked for that
        assert not await agent.duplicates.dismiss(delivery)
        assert conditions.calls.total() == before
        await parts.queue.release(delivery.lease)


async def test_a_repetition_of_a_task_that_has_ended_is_deleted_without_a_callback(world: World) -> None:
    # Given a request whose first message has run
    await publish(world, repeat=False)
    metrics, runtime = Metrics("r"), ScriptedRuntime()
    async with assembled(world, runtime, telemetry=Telemetry(metrics)) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        await ran(parts, prepared)
        # When its repetition is delivered
        await publish(world, repeat=True)
        agent = an_agent(parts)
        assert await agent.duplicates.dismiss(await agent.delivery())
    # Then it is gone, and there is one callback
    assert await world.depth() == (0, 0)
    assert len(await world.callbacks()) == 1
    assert len(runtime.jobs) == 1
    assert 'tasks_total{runtime="r",outcome="repeated",cause="duplicate"} 1\n' in metrics.text()


async def test_a_repetition_of_a_task_that_is_being_tried_is_deleted(world: World) -> None:
    # Given a request whose first message has noted an attempt, and is in the queue
    await publish(world, repeat=False)
    async with assembled(world, ScriptedRuntime()) as parts:
        agent = an_agent(parts)
        original = await agent.delivery()
        await parts.store.note_attempts(original.keys, Attempts(1))
        # When its repetition is delivered
        await publish(world, repeat=True)
        # Then the original alone is left
        assert await agent.duplicates.dismiss(await agent.delivery())
        assert await world.depth() == (0, 1)
        await parts.queue.release(original.lease)


async def test_a_repetition_waits_while_its_original_may_be_running(world: World) -> None:
    # Given a repetition, and no trace of its original
    await publish(world, repeat=True)
    async with assembled(world, ScriptedRuntime(), max_attempts=1) as parts:
        agent = an_agent(parts)
        delivery = await agent.delivery()
        # When it is young, then it goes back for a while, and no run is counted
        assert await agent.duplicates.dismiss(delivery)
        assert await world.depth() == (0, 1)
        noted = await parts.store.attempts(delivery.keys)
        assert noted is not None
        assert (noted.runs, noted.message_id) == (0, delivery.lease.message_id)


async def test_a_repetition_whose_original_never_came_is_the_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a repetition that went back once
    monkeypatch.setattr("queue_agent.outcome.disposition.FIRST_RETRY_DELAY", 0)
    await publish(world, repeat=True)
    async with assembled(world, ScriptedRuntime(), max_attempts=1) as parts:
        agent = an_agent(parts)
        assert await agent.duplicates.dismiss(await agent.delivery())
        lease = await received(parts)
        # When it was first delivered as long ago as a run may take
        lease.first_received = time.time() - parts.processor._task_timeout - MARGIN_SECONDS
        # Then it runs
        prepared = await parts.processor.prepare(lease)
        assert prepared is not None
        await ran(parts, prepared)
    (callback,) = await world.callbacks()
    assert callback["result"] is True


async def test_a_repetition_does_not_take_itself_for_its_original(world: World) -> None:
    """Its own record or attempt, after its agent died, is to be continued as that of any task."""
    await publish(world, repeat=True)
    async with assembled(world, ScriptedRuntime()) as parts:
        agent = an_agent(parts)
        delivery = await agent.delivery()
        await parts.store.note_attempts(delivery.keys, Attempts(1))
        assert not await agent.duplicates.dismiss(delivery)
        callback = delivery.completed([]).model_dump()
        await parts.store.put_record(delivery.keys, {}, {"callback": callback}, "an-earlier-run")
        assert not await agent.duplicates.dismiss(delivery)
        await parts.queue.release(delivery.lease)


async def test_a_mark_without_a_request_id_counts_for_nothing(world: World) -> None:
    # Given a request id that is none
    await publish(world, repeat=True, request_id="../../etc")
    async with assembled(world, ScriptedRuntime()) as parts:
        agent = an_agent(parts)
        delivery = await agent.delivery()
        assert delivery.lease.request_id is None
        assert not await agent.duplicates.dismiss(delivery)
        await parts.queue.release(delivery.lease)


async def test_requests_of_one_id_and_prefix_are_tasks_of_their_own(world: World) -> None:
    # Given two requests for a task of one id
    other = str(uuid.UUID(int=8))
    await publish(world, repeat=False)
    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        await ran(parts, prepared)
        # When the second is repeated, then it is none of the first
        await publish(world, repeat=True, request_id=other)
        agent = an_agent(parts)
        delivery = await agent.delivery()
        delivery.lease.first_received = 0.0
        assert not await agent.duplicates.dismiss(delivery)
        await parts.queue.release(delivery.lease)
