"""What counts as an attempt, and when a task has had its last one."""

import asyncio
import json

import pytest

from queue_agent.errors import RuntimeUnavailable, TransientError
from queue_agent.runtimes.base import Job, Result
from test.support.agents import assembled, killed, ran, received, worked
from test.support.world import PNG, ScriptedRuntime, World, never_finish, until
from utils.local.aws_proxy import Conditions, down, error_answer

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_a_runtime_that_dies_costs_an_attempt_and_after_three_the_caller_is_told(world: World) -> None:
    # Given a runtime that dies over every task
    message_id = await world.ask()

    async def die(_: Job) -> Result:
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    runtime = ScriptedRuntime(die)
    # When the message has been delivered to three agents
    for _ in range(3):
        assert await world.callbacks() == []
        async with assembled(world, runtime) as parts:
            await worked(parts)
    # Then it has failed for good, and lies with its reason where an operator finds it
    (callback,) = await world.callbacks()
    assert callback["result"] is False
    assert callback["error"] == {
        "type": "gave-up",
        "message": "gave up after 3 attempts: the runtime closed the connection",
    }
    assert len(runtime.jobs) == 3
    (letter,) = await world.dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == callback["error"]["message"]
    assert letter["MessageAttributes"]["message_id"]["StringValue"] == message_id
    assert await world.depth() == (0, 0)


async def test_a_task_whose_agents_die_without_a_word_is_given_up_too(world: World) -> None:
    # Given a message that was delivered twice to agents that were killed, the second of which noted two runs
    await world.ask()
    runtime = ScriptedRuntime(never_finish)
    for _ in range(2):
        async with assembled(world, runtime, lease_seconds=1) as parts:
            prepared = await parts.processor.prepare(await received(parts))
            assert prepared is not None
            run = asyncio.create_task(ran(parts, prepared))
            await until(lambda: runtime.jobs)
            runtime.jobs.clear()
            if not prepared.delivery.first:
                await until(lambda: _noted(world))
            await killed(run, parts, prepared)
    # When the limit is two attempts
    async with assembled(world, runtime, max_attempts=2) as parts:
        await worked(parts)
    # Then the third agent gives up without another run
    (callback,) = await world.callbacks()
    assert callback["error"]["message"] == "gave up after 2 attempts: the agent died in each of them"
    assert runtime.jobs == []


async def test_s3_down_when_a_task_comes_again_puts_it_back_without_counting_a_run(
    world: World, conditions: Conditions
) -> None:
    # Given a message that was handed back once
    await world.ask()
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, max_attempts=1) as parts:
        await parts.processor.release_unopened(await received(parts))
        conditions.failure = down("s3")
        # When its record cannot be looked for
        await worked(parts)
        conditions.failure = None
        # Then it is not given up; it runs once S3 answers
        await worked(parts)
    (callback,) = await world.callbacks()
    assert callback["result"] is True


async def test_a_fault_of_the_surroundings_before_the_run_does_not_count_as_one(
    world: World, conditions: Conditions
) -> None:
    # Given S3 is down while a task's input is fetched, for longer than there are attempts
    key = "inputs/a.png"
    await world.direct.s3.put_object(Bucket=world.bucket, Key=key, Body=PNG)
    await world.ask(content={"init_images": [f"s3://{world.bucket}/{key}"]})
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, max_attempts=1) as parts:
        conditions.failure = lambda call: error_answer("SlowDown", 503) if call.path.endswith(key) else None
        await worked(parts)
        await worked(parts)
        # When it is back
        conditions.failure = None
        await worked(parts)
    # Then the task completes
    (callback,) = await world.callbacks()
    assert callback["result"] is True
    assert [file.data for file in runtime.jobs[0].files.values()] == [PNG]


async def test_a_message_that_kills_each_agent_before_its_run_is_given_up_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a message that was taken too often, although no run of it was ever noted
    monkeypatch.setattr("queue_agent.processing.processor.MAX_RECEIVES", 2)
    monkeypatch.setattr("queue_agent.outcome.disposition.MAX_RECEIVES", 2)
    await world.ask()
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        await parts.processor.release_unopened(await received(parts))
        # When it comes once more
        await worked(parts)
    # Then its caller hears of it before SQS would bury it, and nothing was run
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "gave-up"
    assert runtime.jobs == []


async def test_a_surroundings_fault_names_the_attempts_cause_for_the_next_agent(world: World) -> None:
    # Given an attempt that failed for the surroundings' fault
    await world.ask()

    async def fail(_: Job) -> Result:
        raise TransientError("oom", "the GPU ran out of memory")

    async with assembled(world, ScriptedRuntime(fail)) as parts:
        await worked(parts)
    # Then it is noted with its cause
    (key,) = [key for key in await world.keys() if key.startswith(".platform/attempts/")]
    noted = json.loads(await world.read(key))
    assert (noted["runs"], noted["cause"]["type"]) == (1, "oom")


async def test_an_attempt_that_cannot_be_noted_is_put_back_all_the_same(
    world: World, conditions: Conditions, caplog: pytest.LogCaptureFixture
) -> None:
    # Given S3 goes down while a task fails for the surroundings' fault
    await world.ask()

    async def fail(_: Job) -> Result:
        conditions.failure = down("s3")
        raise TransientError("oom", "the GPU ran out of memory")

    async with assembled(world, ScriptedRuntime(fail)) as parts:
        await worked(parts)
    # Then the log says so, and the message is in the queue
    assert "an attempt was not noted" in caplog.text
    assert sum(await world.depth()) == 1


async def _noted(world: World) -> bool:
    return any(key.startswith(".platform/attempts/") for key in await world.keys())
