"""Whose fault it was decides how a task ends, and every task ends."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from queue_agent.errors import PermanentError
from queue_agent.processing.stages import Completed
from queue_agent.runtimes.base import Job, Ran, Result
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import assembled, key_of, ran, received, worked
from test.support.world import ScriptedRuntime, World, a_result, until
from utils.local.aws_proxy import Conditions, down

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"init_images": ["http://127.0.0.1:9/a.png?token=secret"]}, "could not fetch http://127.0.0.1:9/a.png"),
        ({"init_images": ["s3://somebody-elses/a.png"]}, "is not among the input buckets"),
    ],
)
async def test_a_link_that_cannot_be_fetched_fails_at_once_with_its_cause(
    world: World, content: dict[str, Any], says: str
) -> None:
    # Given a task with such a link
    await world.ask(content=content)
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        # When it is prepared
        await worked(parts)
    # Then the caller hears why, no secret is told, and no GPU second was spent
    (callback,) = await world.callbacks()
    assert (callback["result"], callback["status"], callback["image_url"]) == (False, "failed", [])
    assert says in callback["error"]["message"]
    assert "secret" not in callback["error"]["message"]
    assert runtime.jobs == []
    assert await world.depth() == (0, 0)


async def test_the_runtimes_refusal_fails_at_once_and_is_recorded(world: World) -> None:
    # Given a request that the runtime refuses
    await world.ask()

    async def refuse(_: Job) -> Result:
        raise PermanentError("sampler", "unknown sampler 'nope'")

    runtime = ScriptedRuntime(refuse)
    async with assembled(world, runtime) as parts:
        await worked(parts)
    # Then the failure is told once, and recorded for a redelivery
    (callback,) = await world.callbacks()
    assert callback["error"] == {"type": "sampler", "message": "unknown sampler 'nope'"}
    recorded = json.loads(await world.read(key_of(callback["output_url"])))
    assert recorded["task"]["callback"] == callback
    assert len(runtime.jobs) == 1


async def test_an_unknown_error_is_the_surroundings_fault_with_its_traceback_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given an adapter with a bug
    await world.ask()

    async def stumble(_: Job) -> Result:
        raise ZeroDivisionError("a bug of ours")

    async with assembled(world, ScriptedRuntime(stumble), max_attempts=1) as parts:
        await worked(parts)
    # Then the caller hears of it in the end, and the log says where
    (callback,) = await world.callbacks()
    assert callback["error"]["message"] == "gave up after 1 attempt: ZeroDivisionError: a bug of ours"
    assert any(record.exc_info for record in caplog.records if record.name == "queue_agent.outcome.finisher")


@pytest.mark.parametrize(
    ("body", "notified"),
    [
        ("not json", False),
        ('{"task": 7}', False),
        ('{"task": {"metadata": {"id": "x", "runtime": "r"}, "content": {}}}', True),
        (
            '{"task": {"metadata": {"id": "x", "runtime": "r", "tasktype": "pipeline", "prefix": ""}, "content": {}}}',
            True,
        ),
        (
            '{"task": {"metadata": {"id": "x", "runtime": "r", "tasktype": "pipeline", "prefix": "p"}, "content": []}}',
            True,
        ),
    ],
)
async def test_a_message_that_is_no_task_goes_to_the_dead_letters_at_once(
    world: World, body: str, *, notified: bool
) -> None:
    # Given such a message
    await world.send(body)
    async with assembled(world, ScriptedRuntime()) as parts:
        # When it is prepared
        await worked(parts)
    # Then it is buried with the reason, and its sender hears of it if there is an id
    (letter,) = await world.dead_letters()
    assert letter["Body"] == body
    assert letter["MessageAttributes"]["reason"]["StringValue"]
    callbacks = await world.callbacks()
    assert [(c["id"], c["result"], c["error"]["type"]) for c in callbacks] == [("x", False, "undecodable")] * notified
    assert await world.depth() == (0, 0)


async def test_s3_down_while_storing_does_not_cost_the_gpus_work(world: World, conditions: Conditions) -> None:
    # Given a result, and S3 down
    await world.ask()
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        completed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(completed, Completed)
        conditions.failure = down("s3")
        storing = asyncio.create_task(parts.processor.finish(completed))
        await until(lambda: conditions.calls["s3", "PUT"] >= 5)
        # When it is back
        conditions.failure = None
        await storing
    # Then the task completes, with one run
    (callback,) = await world.callbacks()
    assert callback["result"] is True
    assert len(runtime.jobs) == 1


async def test_an_undecodable_message_that_came_too_late_goes_back_unread(world: World) -> None:
    await world.send("not json")
    async with assembled(world, ScriptedRuntime()) as parts:
        await parts.processor.release_unopened(await received(parts))
    assert await world.depth() == (1, 0)


async def test_a_run_on_another_model_counts_as_a_switch(world: World) -> None:
    # Given a runtime that runs its jobs on these models
    models = iter(["a", "a", "b"])

    async def work(_: Job) -> Result:
        return replace(a_result(), ran=Ran("scripted", model=next(models)))

    metrics = Metrics("r")
    async with assembled(world, ScriptedRuntime(work), telemetry=Telemetry(metrics)) as parts:
        for name in ("one", "two", "three"):
            await world.ask(name)
            await worked(parts)
    # Then one switch is counted
    assert 'model_switches_total{runtime="r"} 1\n' in metrics.text()


@pytest.mark.parametrize("record", [b"not json", b'{"task": {"message_id": "another"}}'])
async def test_a_failure_finds_another_tasks_record_in_its_place_and_takes_the_next(
    world: World, record: bytes
) -> None:
    # Given a task that fails, whose record's name is taken while it runs
    await world.ask()

    async def refuse(_: Job) -> Result:
        await world.direct.s3.put_object(Bucket=world.bucket, Key=key, Body=record)
        raise PermanentError("sampler", "unknown")

    async with assembled(world, ScriptedRuntime(refuse)) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        key = prepared.delivery.keys.record_key
        # When it ends
        await ran(parts, prepared)
    # Then both records are there
    (callback,) = await world.callbacks()
    assert key_of(callback["output_url"]) != key
    assert await world.read(key) == record


async def test_a_failure_that_another_agent_has_told_is_not_told_again(world: World) -> None:
    # Given two agents with one message, one of which has committed it
    await world.ask()

    async def refuse(_: Job) -> Result:
        committed = json.dumps({"task": {**task, "message_id": keys.message_id, "run_id": "another"}})
        await world.direct.s3.put_object(Bucket=world.bucket, Key=keys.record_key, Body=committed)
        raise PermanentError("sampler", "unknown")

    async with assembled(world, ScriptedRuntime(refuse)) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        keys = prepared.delivery.keys
        task = {"callback": prepared.delivery.begun().completed([]).model_dump()}
        # When this one fails
        await ran(parts, prepared)
    # Then it keeps silent
    assert await world.callbacks() == []


async def test_the_runtime_drops_the_outputs_once_the_task_has_ended(world: World) -> None:
    # Given a runtime that holds what it made
    await world.ask()
    callbacks_before_discard: list[int] = []

    async def discard() -> None:
        callbacks_before_discard.append(len(await world.callbacks()))

    async def make(_: Job) -> Result:
        return replace(a_result(), discard=discard)

    # When the task is completed
    async with assembled(world, ScriptedRuntime(make)) as parts:
        await worked(parts)

    # Then it is asked to drop them, after the result was delivered
    assert callbacks_before_discard == [1]
