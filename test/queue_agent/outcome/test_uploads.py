"""Outputs on their way to S3: conflicts, failures and cancellations end the uploads and release the message."""

import asyncio
from binascii import Error as UndecodableError
from collections.abc import AsyncIterator

import pytest

from queue_agent.errors import TransientError
from queue_agent.runtimes.base import Job, Output, Ran, Result
from test.support.agents import assembled, received, worked
from test.support.world import ScriptedRuntime, World, running, until
from utils.local.aws_proxy import Call, Conditions, error_answer

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_what_the_runtime_gives_wrong_is_decided_at_once(world: World, conditions: Conditions) -> None:
    # Given a runtime whose output cannot be decoded
    await world.ask()
    reads = 0

    async def undecodable() -> AsyncIterator[bytes]:
        nonlocal reads
        reads += 1
        raise UndecodableError("Incorrect padding")
        yield b""

    async def work(_: Job) -> Result:
        return Result([Output(undecodable)], lambda _: {}, Ran("scripted"))

    async with assembled(world, ScriptedRuntime(work), max_attempts=1) as parts:
        await worked(parts)
        # Then AWS is not suspected, and nothing is read twice
        assert parts.finisher.health.ok.is_set()
    (callback,) = await world.callbacks()
    assert callback["error"]["message"] == (
        "gave up after 1 attempt: could not read an output of the runtime: Error: Incorrect padding"
    )
    assert reads == 1


async def test_an_endless_conflict_is_met_with_pauses(world: World, conditions: Conditions) -> None:
    # Given S3 that answers 409 to every record
    await world.ask()

    def conflict(call: Call) -> object:
        met = call.service == "s3" and call.path.endswith(".out") and call.action == "PUT"
        return error_answer("ConditionalRequestConflict", 409) if met else None

    conditions.failure = conflict  # type: ignore[assignment]
    async with assembled(world, ScriptedRuntime()) as parts, running(worked(parts)) as work:
        await asyncio.sleep(2)
        # Then it is asked now and then
        assert conditions.calls["s3", "PUT"] + conditions.calls["s3", "GET"] < 40
        conditions.failure = None
        await work
    assert len(await world.callbacks()) == 1


async def test_a_failed_upload_has_ended_its_siblings_before_it_is_reported(
    world: World, conditions: Conditions
) -> None:
    # Given two outputs, one of which is taken by another task while the other is on its way
    await world.ask()
    alive, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        alive.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            ended.set()
        yield b""

    async def bad() -> AsyncIterator[bytes]:
        await alive.wait()
        raise UndecodableError("Incorrect padding")
        yield b""

    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        with (
            pytest.raises(TransientError, match="Incorrect padding"),
            prepared.delivery.lease.trace.span("store") as span,
        ):
            await parts.store.put_outputs(prepared.delivery.keys, [Output(slow), Output(bad)], span, fresh=True)
        # Then nothing of the first is left
        assert ended.is_set()
        await parts.processor.release(prepared)


async def test_an_upload_that_cannot_be_aborted_does_not_hold_up_a_cancellation(
    world: World, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a large output on its way, and S3 that answers nothing any more
    monkeypatch.setattr("queue_agent.outcome.store.ABORT_SECONDS", 0.2)
    await world.ask()
    going = asyncio.Event()

    async def video() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield bytes(1_000_000)
        going.set()
        await asyncio.Event().wait()

    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        delivery = prepared.delivery
        with delivery.lease.trace.span("store") as span:
            storing = asyncio.create_task(
                parts.store.put_outputs(delivery.keys, [Output(video, extension="mp4")], span, fresh=True)
            )
            await asyncio.wait_for(going.wait(), 30)
            conditions.latency = {"s3": 20}
            # When it is cancelled
            storing.cancel()
            await asyncio.wait([storing], timeout=10)
        # Then it is cancelled
        assert storing.cancelled()
        conditions.latency = {}
        await parts.processor.release(prepared)


async def test_a_cancelled_preparation_gives_its_message_back_however_slow_s3_is(
    world: World, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on Python 3.11.2: a time-out inside of a cancelled task was taken for its cancellation."""
    # Given a task whose input does not arrive
    monkeypatch.setattr("queue_agent.outcome.finisher.NOTE_SECONDS", 0.3)
    key = "inputs/a.png"
    await world.ask(content={"init_images": [f"s3://{world.bucket}/{key}"]})
    async with assembled(world, ScriptedRuntime()) as parts:
        conditions.latency = {"s3": 10}
        lease = await received(parts)
        preparing = asyncio.create_task(parts.processor.prepare(lease))
        await until(lambda: conditions.calls["s3", "GET"] >= 1)
        # When its preparation is cancelled
        preparing.cancel()
        await asyncio.wait([preparing])
    # Then the message can be taken by others
    assert preparing.cancelled()
    assert await world.depth() == (1, 0)
