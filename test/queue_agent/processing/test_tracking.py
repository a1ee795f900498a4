"""A run and its row in the task table: claimed, beating, retried, expired, ended; and the table away or refusing."""

import asyncio
import json
import time
from typing import Any

import pytest

from contract.task_table.item import State
from contract.wire import encode_task
from queue_agent.runtimes.base import Job, PreparedJob, Result, RunMonitor
from test.support.agents import BEATING, BLIND, assembled, at_work, key_of, received, worked
from test.support.tables import CLIENT, an_item, cancel, has_status, item_of, submit
from test.support.world import ScriptedRuntime, World, a_result, a_task, never_finish, until

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_a_task_runs_and_completes_in_the_table(table_world: World) -> None:
    # Given a task of the task API, and a runtime that tells its progress
    world, go_on = table_world, asyncio.Event()

    async def work(_: Job) -> Result:
        await go_on.wait()
        return a_result()

    runtime = ScriptedRuntime(work)
    runtime.told_progress = 0.25
    queued = await submit(world)
    async with assembled(world, runtime, timings=BEATING, gpu_hour_price=3600.0) as parts, at_work(parts):
        # When it runs, then the table says so, and how far it is
        running = await until(lambda: _with_progress(world, 0.25))
        assert (running.status, running.attempt, bool(running.started)) == (State.RUNNING, 1, True)
        runtime.told_progress = 0.75
        await until(lambda: _with_progress(world, 0.75))
        go_on.set()
        # When it has ended, then the table has its outcome, with what it cost
        ended = await until(lambda: has_status(world, State.COMPLETED))
        (callback,) = await until(world.callbacks)
    assert (ended.request, ended.created, ended.fingerprint) == (queued.request, queued.created, queued.fingerprint)
    assert [f"s3://{world.bucket}/{output.key}" for output in ended.outputs] == callback["image_url"]
    assert [(output.type, output.size) for output in ended.outputs] == [("image/png", 17)]
    assert ended.record == key_of(callback["output_url"])
    assert ended.gpu_seconds > 0
    assert ended.usd == pytest.approx(ended.gpu_seconds, abs=0.001)
    assert ended.progress is None


async def _with_progress(world: World, progress: float) -> Any:
    item = await item_of(world)
    return item if item is not None and item.progress == progress else None


async def test_the_callback_is_the_same_with_and_without_a_table(world: World, table_world: World) -> None:
    # Given the same task in both
    sent = encode_task(a_task(context={"order": 1}))
    told_of = []
    for place in (world, table_world):
        await place.send(sent)
        async with assembled(place, ScriptedRuntime()) as parts:
            await worked(parts)
        (callback,) = await place.callbacks()
        told_of.append(callback)
    # Then their callbacks have the same keys, in the same order, and nothing more
    first, second = told_of
    assert list(first) == list(second)
    assert {**first, "image_url": 0, "output_url": 0} == {**second, "image_url": 0, "output_url": 0}


async def test_a_task_that_the_front_door_could_not_put_gets_its_item_from_the_agent(table_world: World) -> None:
    # Given a task of an older route, published while the table did not answer
    await table_world.send(encode_task(a_task("old")))
    async with assembled(table_world, ScriptedRuntime()) as parts:
        await worked(parts)
    item = await item_of(table_world, "old", client="default")
    assert item is not None
    assert (item.status, item.runtime, item.prefix) == (State.COMPLETED, "r", "out")
    assert item.ttl is not None
    assert item.ttl > time.time() + 86_400


async def test_a_failure_says_whether_sending_again_may_help(table_world: World) -> None:
    # Given a task that fails by its own fault, and one that was given up
    world = table_world
    await submit(world, "bad", content={"init_images": ["s3://somebody-elses/a.png"]})
    await submit(world, "unlucky")

    async def die(_: Job) -> Result:
        raise ZeroDivisionError("a bug of ours")

    async with assembled(world, ScriptedRuntime(die), timings=BEATING, max_attempts=1) as parts, at_work(parts):
        bad = await until(lambda: has_status(world, State.FAILED, "bad"))
        unlucky = await until(lambda: has_status(world, State.FAILED, "unlucky"))
    assert (bad.retryable, bad.gpu_seconds) == (False, None)
    assert (unlucky.error.type, unlucky.retryable, unlucky.attempt) == ("gave-up", True, 1)
    assert unlucky.gpu_seconds is not None


async def test_a_failed_run_waits_as_a_retry_until_the_next(table_world: World) -> None:
    # Given a runtime that fails once
    world = table_world

    async def die(_: Job) -> Result:
        raise ZeroDivisionError("a bug of ours")

    await submit(world)
    async with assembled(world, ScriptedRuntime(die), timings=BEATING) as parts:
        await worked(parts)
        # Then the task waits for its retry
        item = await item_of(world)
        assert item is not None
        assert (item.status, item.retry, item.attempt, item.run) == (State.QUEUED, True, 1, None)
    # When it runs again, then it is the second attempt
    async with assembled(world, ScriptedRuntime(), timings=BEATING) as parts:
        await worked(parts)
    item = await item_of(world)
    assert item is not None
    assert (item.status, item.retry, item.attempt) == (State.COMPLETED, False, 2)


async def test_a_run_that_a_shutdown_stops_waits_again(table_world: World) -> None:
    world, runtime = table_world, ScriptedRuntime(never_finish)
    await submit(world)
    async with assembled(world, runtime, timings=BEATING) as parts, at_work(parts):
        await until(lambda: has_status(world, State.RUNNING))
        parts.stop.request()
        parts.stop.request()
        await until(lambda: has_status(world, State.QUEUED))
    assert await world.depth() == (1, 0)


async def test_a_task_whose_id_another_request_has_runs_without_the_table(table_world: World) -> None:
    # Given an id of the new route, used again on an older one
    world = table_world
    await submit(world, item=an_item(request="somebody-elses", status=State.COMPLETED))
    await worked_off(world)
    await world.send(encode_task(a_task("t1")), {"client": CLIENT})
    async with assembled(world, ScriptedRuntime(), timings=BLIND) as parts:
        await worked(parts)
    # Then it completes, and the item is as it was
    (callback,) = await world.callbacks()
    assert callback["status"] == "completed"
    item = await item_of(world)
    assert item is not None
    assert (item.request, item.revision) == ("somebody-elses", 1)


async def worked_off(world: World) -> None:
    """Remove the only message of the queue."""
    (message,) = (await world.direct.sqs.receive_message(QueueUrl=world.queue_url))["Messages"]
    await world.direct.sqs.delete_message(QueueUrl=world.queue_url, ReceiptHandle=message["ReceiptHandle"])


async def test_a_duplicate_of_a_task_that_has_ended_is_left_to_the_agent_that_ended_it(table_world: World) -> None:
    # Given a message whose task another agent has ended meanwhile
    world, runtime = table_world, ScriptedRuntime(never_finish)
    await submit(world, item=an_item(status=State.COMPLETED))
    async with assembled(world, runtime, timings=BLIND, lease_seconds=3600) as parts:
        await worked(parts)
        # Then its run is stopped, and nothing is told of it
        assert await world.callbacks() == []
        assert await world.depth() == (0, 1)
    assert runtime.interrupts >= 1


async def test_a_redelivery_of_a_task_that_has_ended_and_whose_record_is_gone_is_deleted(table_world: World) -> None:
    world, runtime = table_world, ScriptedRuntime()
    await submit(world, item=an_item(status=State.COMPLETED))
    async with assembled(world, runtime, timings=BEATING) as parts:
        await parts.processor.release_unopened(await received(parts))
        await worked(parts)
    assert (await world.callbacks(), runtime.jobs, await world.depth()) == ([], [], (0, 0))


async def test_the_beginning_of_a_task_is_sent_to_the_webhooks_once(table_world: World) -> None:
    # Given a task whose webhook wants its beginning, and one whose webhook does not
    world = table_world
    url = (await world.direct.sqs.create_queue(QueueName=f"{world.bucket}-hooks"))["QueueUrl"]
    item = await submit(world, events=("started", "ended"))
    await submit(world, "t2", events=("ended",))
    async with assembled(world, ScriptedRuntime(), timings=BEATING, webhooks_queue_url=url) as parts:
        await worked(parts)
        await worked(parts)
    sent = await world.direct.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    # Then one event is sent, which names the task
    assert [json.loads(message["Body"]) for message in sent["Messages"]] == [
        {"client": CLIENT, "id": "t1", "request": item.request, "event": "started", "runtime": "r"}
    ]


async def test_a_webhooks_attributes_are_those_of_the_callback_too(table_world: World) -> None:
    world = table_world
    item = await submit(world, events=("ended",))
    await submit(world, "t2")
    async with assembled(world, ScriptedRuntime(), timings=BEATING) as parts:
        await worked(parts)
        await worked(parts)
    attributes = {}
    for _ in range(2):
        (message,) = (
            await world.direct.sqs.receive_message(
                QueueUrl=world.subscriber_url, MaxNumberOfMessages=1, MessageAttributeNames=["All"]
            )
        )["Messages"]
        values = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        attributes[values["id"]] = values
    assert attributes["t1"] == {
        "id": "t1",
        "runtime": "r",
        "status": "completed",
        "client": CLIENT,
        "webhook": "ended",
        "request_id": item.request,
    }
    assert set(attributes["t2"]) == {"id", "runtime", "status"}


async def test_what_a_task_waits_behind_another_client_is_no_gpu_time_of_its_own(table_world: World) -> None:
    # Given a runtime that works for another client for longer than the task runs
    world, waited = table_world, 0.5

    class Taken(ScriptedRuntime):
        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            await asyncio.sleep(waited)
            monitor.wait()
            return await super().run(prepared, monitor)

    await submit(world)
    async with assembled(world, Taken(), timings=BEATING, gpu_hour_price=3600.0) as parts, at_work(parts):
        # When the task has run
        ended = await until(lambda: has_status(world, State.COMPLETED))
    # Then it pays for its run only
    assert ended.gpu_seconds < waited
    assert ended.usd < waited


async def test_a_task_that_is_canceled_before_the_runtime_began_with_it_costs_nothing(table_world: World) -> None:
    # Given a runtime that works for another client
    world = table_world

    class Taken(ScriptedRuntime):
        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            return await never_finish(prepared.job)

    await submit(world)
    async with assembled(world, Taken(), timings=BEATING, gpu_hour_price=3600.0) as parts, at_work(parts):
        await until(lambda: has_status(world, State.RUNNING))
        # When the task is canceled
        assert await cancel(world)
        canceled = await until(lambda: has_status(world, State.CANCELED))
    # Then
    assert (canceled.gpu_seconds, canceled.usd) == (0, 0)
