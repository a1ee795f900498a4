"""A task has one outcome: what is stored is delivered, however long AWS refuses it, and nothing else is."""

import asyncio
import json
import logging

import pytest

from contract.callback import GAVE_UP, Cause
from queue_agent.errors import LeaseLost, TransientError
from queue_agent.outcome.delivery_health import DeliveryHealth
from queue_agent.outcome.delivery_retry import RetryTimings
from queue_agent.runtimes.base import Job, Result
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import assembled, key_of, ran, received, worked
from test.support.world import ScriptedRuntime, World, a_result, running, until
from utils.local.aws_proxy import Call, Conditions, Failure, down, error_answer

pytestmark = pytest.mark.usefixtures("short_waits")

REFUSALS = 12
"""Calls that are refused before AWS relents: with the tests' short pauses, what minutes are with the real ones."""


def denied(service: str, action: str) -> Failure:
    """Every such call is answered as a missing permission is."""
    return lambda call: error_answer("AccessDenied", 403) if (call.service, call.action) == (service, action) else None


@pytest.mark.parametrize("permission", ["sns:Publish", "sqs:DeleteMessage", "s3:PutObject"])
async def test_a_denied_call_is_repeated_until_it_is_allowed_and_the_task_has_run_and_is_told_once(
    world: World, conditions: Conditions, caplog: pytest.LogCaptureFixture, permission: str
) -> None:
    service, _, action = permission.replace("PutObject", "PUT").partition(":")
    caplog.set_level(logging.INFO, "queue_agent")
    # Given one attempt, and a permission that is missing for longer than anybody would wait
    await world.ask()
    runtime, metrics = ScriptedRuntime(), Metrics("r")
    conditions.failure = denied(service, action)
    async with assembled(world, runtime, max_attempts=1, telemetry=Telemetry(metrics)) as parts:
        health = parts.finisher.health
        async with running(worked(parts)) as work:
            await until(lambda: conditions.calls[service, action] >= REFUSALS)
            # Then the agent says that it cannot deliver, why, and in one line
            assert not health.ok.is_set()
            assert health.since is not None
            assert health.cause is not None
            assert health.cause.type == "aws-denied"
            assert f"AWS denied {permission}: the role of this pod needs it" in health.cause.message
            assert 'delivery_suspended{runtime="r"} 1\n' in metrics.text()
            assert caplog.text.count("results cannot be delivered") == 1
            assert len(await world.callbacks()) == (1 if action == "DeleteMessage" else 0)
            # When the permission is granted
            conditions.failure = None
            await work
    # Then all goes on by itself
    (callback,) = await world.callbacks()
    assert callback["result"] is True
    assert len(runtime.jobs) == 1
    assert await world.depth() == (0, 0)
    assert await world.dead_letters() == []
    assert health.ok.is_set()
    assert _state(health) == (None, None)
    assert 'delivery_suspended{runtime="r"} 0\n' in metrics.text()
    assert caplog.text.count("results can be delivered again") == 1


async def test_a_short_outage_suspends_nothing(world: World, conditions: Conditions) -> None:
    # Given SNS that fails for less time than says that it is away
    await world.ask()
    patient = RetryTimings(first_pause=0.05, longest_pause=0.2, suspend_after=60)
    async with assembled(world, ScriptedRuntime(), retry_timings=patient) as parts:
        suspensions: list[str] = []
        parts.finisher.health.suspend = lambda call, cause: suspensions.append(call)  # type: ignore[method-assign]

        def fail_once(call: Call) -> object:
            first = conditions.calls["sns", "Publish"] <= 1
            return error_answer("InvalidParameter", 400) if call.service == "sns" and first else None

        conditions.failure = fail_once  # type: ignore[assignment]
        await worked(parts)
    assert suspensions == []
    assert len(await world.callbacks()) == 1


async def test_an_outage_suspends_until_a_call_succeeds(world: World, conditions: Conditions) -> None:
    await world.ask()
    conditions.failure = down("sns")
    async with assembled(world, ScriptedRuntime()) as parts, running(worked(parts)) as work:
        health = parts.finisher.health
        await until(lambda: not health.ok.is_set())
        assert health.cause is not None
        assert (health.cause.type, "ServiceUnavailable" in health.cause.message) == ("aws", True)
        conditions.failure = None
        await work
        assert health.ok.is_set()


async def test_an_agent_that_holds_nothing_any_more_tries_again(world: World, conditions: Conditions) -> None:
    """Only another attempt could show that AWS takes results again."""
    # Given a result that cannot be stored
    await world.ask()
    conditions.failure = denied("s3", "PUT")
    async with assembled(world, ScriptedRuntime()) as parts, running(worked(parts)) as work:
        await until(lambda: not parts.finisher.health.ok.is_set())
        # When it is given back, by a shutdown for instance
        work.cancel()
        await asyncio.wait([work])
        # Then the agent takes tasks again
        assert parts.finisher.health.ok.is_set()


async def test_a_message_that_comes_back_to_this_agent_is_only_deleted(world: World, conditions: Conditions) -> None:
    # Given a task whose callback was sent, and whose message could not be deleted before its lease was over
    await world.ask()
    conditions.failure = denied("sqs", "DeleteMessage")
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        lease = await received(parts)
        prepared = await parts.processor.prepare(lease)
        assert prepared is not None
        async with running(ran(parts, prepared)) as work:
            await until(world.callbacks)
            await parts.queue.release(lease)
            lease.lost.set()
            await work
        # When it is delivered again
        conditions.failure = None
        await worked(parts)
    # Then there is no second callback
    assert len(await world.callbacks()) == 1
    assert await world.depth() == (0, 0)
    assert len(runtime.jobs) == 1


async def test_a_give_up_repeats_what_an_earlier_delivery_stored(world: World) -> None:
    # Given a task that was stored, and a later delivery that goes wrong after all attempts
    await world.ask()
    async with assembled(world, ScriptedRuntime(), max_attempts=1) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        delivery = prepared.delivery.begun()
        callback = delivery.completed(["s3://b/k.png"])
        await parts.store.put_record(delivery.keys, {}, {"callback": callback.model_dump()}, "an-earlier-run")
        # When it is given up
        await parts.finisher.settle(delivery, TransientError("oom", "the GPU ran out of memory"))
    # Then the stored outcome is sent
    assert await world.callbacks() == [json.loads(json.dumps(callback.model_dump()))]
    assert await world.dead_letters() == []
    assert await world.depth() == (0, 0)


async def test_a_recorded_give_up_still_becomes_a_dead_letter_when_its_agent_died_before(world: World) -> None:
    # Given a give-up that was recorded, and no more
    await world.ask()
    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        delivery = prepared.delivery
        callback = delivery.failed(TransientError(GAVE_UP, "gave up after 3 attempts: oom").cause)
        await parts.store.put_record(delivery.keys, {}, {"callback": callback.model_dump()}, "an-earlier-run")
        await parts.queue.release(delivery.lease)
        # When the message is delivered again
        await worked(parts)
    # Then both the callback and the dead letter are there
    assert [sent["error"]["type"] for sent in await world.callbacks()] == [GAVE_UP]
    (letter,) = await world.dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "gave up after 3 attempts: oom"
    assert await world.depth() == (0, 0)


async def test_a_lease_that_could_not_be_renewed_is_the_cause_that_the_next_agent_tells(
    world: World, conditions: Conditions
) -> None:
    # Given an agent that may not renew its leases, and a task that outlives them
    await world.ask()

    async def long(_: Job) -> Result:
        await asyncio.Event().wait()
        return a_result()

    conditions.failure = denied("sqs", "ChangeMessageVisibility")
    async with assembled(world, ScriptedRuntime(long), lease_seconds=3) as parts:
        await worked(parts)
    conditions.failure = None
    # When it is delivered again after its last attempt
    async with assembled(world, ScriptedRuntime(), max_attempts=1) as parts:
        await worked(parts)
    # Then its caller learns why
    (callback,) = await world.callbacks()
    assert callback["error"]["message"].startswith("gave up after 1 attempt: could not renew the lease: AccessDenied")


async def test_a_message_that_is_no_task_is_dead_lettered_once_however_often_its_deletion_fails(
    world: World, conditions: Conditions
) -> None:
    # Given a message that is no task, and no permission to delete it
    await world.send('{"task": {"metadata": {"id": "x"}, "content": {}}}')
    conditions.failure = denied("sqs", "DeleteMessage")
    async with assembled(world, ScriptedRuntime()) as parts, running(worked(parts)) as refusing:
        await until(lambda: conditions.calls["sqs", "DeleteMessage"] >= REFUSALS)
        # Then it keeps nobody from taking tasks
        assert parts.finisher.health.ok.is_set()
        # When the agent lets go of it, and it comes again
        await parts.processor.refusals.cancel()
        await asyncio.wait([refusing])
        again = asyncio.create_task(worked(parts))
        await until(lambda: conditions.calls["sqs", "DeleteMessage"] >= 2 * REFUSALS)
        conditions.failure = None
        await again
    # Then it was sent once, and so was its callback
    assert len(await world.dead_letters()) == 1
    assert len(await world.callbacks()) == 1
    assert await world.depth() == (0, 0)


async def test_a_message_that_is_no_task_goes_back_when_it_cannot_be_dead_lettered(
    world: World, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given no permission to send to the dead-letter queue, for longer than this agent tries
    monkeypatch.setattr("queue_agent.outcome.finisher.REFUSE_SECONDS", 0.3)
    await world.send("not json")
    conditions.failure = denied("sqs", "SendMessage")
    async with assembled(world, ScriptedRuntime()) as parts:
        await worked(parts)
    assert await world.depth() == (1, 0)
    assert await world.dead_letters() == []


async def test_a_task_whose_lease_is_lost_while_it_is_delivered_is_left_to_the_next_agent(
    world: World, conditions: Conditions
) -> None:
    # Given a stored task that cannot be told
    await world.ask()
    conditions.failure = denied("sns", "Publish")
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        lease = await received(parts)
        prepared = await parts.processor.prepare(lease)
        assert prepared is not None
        async with running(ran(parts, prepared)) as work:
            await until(lambda: conditions.calls["sns", "Publish"] >= 2)
            # When its message becomes another agent's
            await parts.queue.release(lease)
            lease.lost.set()
            await work
        conditions.failure = None
        with pytest.raises(LeaseLost):
            lease.check()
        await _worked_elsewhere(world, runtime)
    # Then that one tells what is stored
    (callback,) = await world.callbacks()
    assert callback["result"] is True
    assert (await world.read(key_of(callback["output_url"]))).startswith(b"{")
    assert len(runtime.jobs) == 1


def _state(health: DeliveryHealth) -> tuple[Cause | None, float | None]:
    return health.cause, health.since


async def _worked_elsewhere(world: World, runtime: ScriptedRuntime) -> None:
    async with assembled(world, runtime) as parts:
        await worked(parts)
