"""The agent while something it needs is away, slow or broken: the runtime, SQS, S3 or SNS."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from contract.callback import Cause
from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.lifecycle.runtime_state import STARTING, Phase
from queue_agent.runtimes.base import Job, Output, Ran, Result
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import QUICK, assembled, at_work, callbacks_of, held
from test.support.world import (
    ScriptedRuntime,
    World,
    a_result,
    finish_at_once,
    until,
)
from utils.local.aws_proxy import Conditions, down

pytestmark = pytest.mark.usefixtures("short_polls")


async def test_a_runtime_that_dies_gets_no_further_message_until_it_is_back(world: World) -> None:
    # Given a runtime that dies over its first task
    runtime = ScriptedRuntime()

    async def die(_: Job) -> Result:
        runtime.is_ready = False
        runtime.work = finish_at_once
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    runtime.work = die
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime) as parts, at_work(parts):
        # When it is away
        await until(lambda: len(runtime.jobs) == 1)
        await asyncio.sleep(2)
        # Then nothing is sent to it and nobody is told of a failure
        assert len(runtime.jobs) == 1
        assert await world.callbacks() == []
        # When it is back, then both tasks are run
        runtime.is_ready = True
        both = await until(lambda: callbacks_of(world, 2))
    assert {callback["result"] for callback in both} == {True}


async def test_the_agent_fails_when_the_runtime_stays_away(world: World) -> None:
    # Given a runtime that never becomes ready
    runtime = ScriptedRuntime()
    runtime.is_ready = False
    await world.ask()
    async with assembled(world, runtime, runtime_away_limit=0.5) as parts:
        # When the limit is over, then the process says so, and the message was not touched
        with pytest.raises(RuntimeUnavailable, match=r"not ready for 0\.5 s"):
            await asyncio.wait_for(parts.agent.run(), 30)
    assert await world.depth() == (1, 0)


async def test_sqs_down_stops_nobody(world: World, conditions: Conditions) -> None:
    # Given SQS is down when the agent starts
    conditions.failure = down("sqs")
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        await until(lambda: conditions.calls["sqs", "ReceiveMessage"] >= 4)
        # When it is back, then tasks are run
        conditions.failure = None
        await world.ask()
        (callback,) = await until(world.callbacks)
        assert callback["result"] is True


async def test_a_task_fetched_ahead_goes_back_when_the_runtime_dies(world: World) -> None:
    # Given a task that is ready to start beside a running one
    runtime, died = ScriptedRuntime(), asyncio.Event()

    async def die(_: Job) -> Result:
        await died.wait()
        runtime.is_ready = False
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    runtime.work, runtime.told_progress = die, 0.99
    await world.ask("one")
    await world.ask("two")
    async with assembled(world, runtime) as parts, at_work(parts):
        await until(lambda: held(world, 2))
        # When the runtime dies
        died.set()
        # Then other agents can have both, and nothing was sent to the dead runtime
        await until(lambda: held(world, 0))
        assert [job.id for job in runtime.jobs] in (["one"], ["two"])


async def test_a_message_that_comes_while_the_runtime_is_away_goes_back_unopened(world: World) -> None:
    # Given a poll that began while the runtime was there
    runtime, metrics = ScriptedRuntime(), Metrics("r")
    async with assembled(world, runtime, telemetry=Telemetry(metrics)) as parts, at_work(parts):
        await until(parts.state.taking.is_set)
        await asyncio.sleep(0.1)
        # When the runtime goes, and then a message comes
        runtime.is_ready = False
        parts.state.away(STARTING)
        await world.ask()
        # Then it is back in the queue, and the runtime has not seen it
        await until(lambda: 'task_hand_backs_total{runtime="r"} 1' in metrics.text())
        assert runtime.jobs == []


async def test_a_runtime_that_was_away_for_too_long_after_a_failed_run_ends_the_agent(world: World) -> None:
    # Given a runtime that dies over its task and does not come back
    runtime = ScriptedRuntime()

    async def die(_: Job) -> Result:
        runtime.is_ready = False
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    runtime.work = die
    await world.ask()
    async with assembled(world, runtime, runtime_away_limit=-1) as parts:
        # Then the agent says so and ends, and the task is there for others
        with pytest.raises(RuntimeUnavailable, match="was not ready"):
            await asyncio.wait_for(parts.agent.run(), 30)
        await until(lambda: held(world, 0))


async def test_results_wait_for_a_slow_s3_only_up_to_a_number(
    world: World, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given S3 takes nothing, and two results may be on their way
    monkeypatch.setattr("queue_agent.agent.MAX_FINISHING", 2)
    conditions.failure = down("s3")
    runtime = ScriptedRuntime()
    for name in ("one", "two", "three", "four"):
        await world.ask(name)
    async with assembled(world, runtime) as parts, at_work(parts):
        await until(lambda: len(runtime.jobs) == 2)
        # When time goes by, then the GPU waits rather than memory filling up
        await asyncio.sleep(0.5)
        assert len(runtime.jobs) == 2
        # When S3 is back, then all are done
        conditions.failure = None
        await until(lambda: callbacks_of(world, 4))


async def test_a_slow_sns_does_not_stand_between_two_runs(world: World, conditions: Conditions) -> None:
    # Given running callbacks, and SNS seconds away
    conditions.latency = {"sns": 2}
    began: list[float] = []

    async def work(_: Job) -> Result:
        began.append(asyncio.get_running_loop().time())
        return a_result()

    for name in ("one", "two", "three"):
        await world.ask(name)
    async with assembled(world, ScriptedRuntime(work), running_callbacks=True) as parts, at_work(parts):
        await until(lambda: len(began) == 3)
        # Then the runs follow each other before the first callback is through
        assert began[-1] - began[0] < 2
        every = await until(lambda: callbacks_of(world, 6))
    # And no running callback overtakes the completed one
    for name in ("one", "two", "three"):
        assert [callback["status"] for callback in every if callback["id"] == name] == ["running", "completed"]


async def test_many_small_results_may_wait_for_a_slow_sns(world: World, conditions: Conditions) -> None:
    # Given SNS that takes far longer than the tasks
    conditions.latency = {"sns": 300.0}
    runtime = ScriptedRuntime()
    for number in range(8):
        await world.ask(str(number))
    async with assembled(world, runtime, running_callbacks=True) as parts, at_work(parts):
        # Then all of them run
        await until(lambda: len(runtime.jobs) == 8)
        parts.stop.request()
        parts.stop.request()


async def test_a_task_whose_inputs_are_slow_holds_up_nobody(world: World, conditions: Conditions) -> None:
    # Given a task whose input does not come, and one behind it
    conditions.latency = {"s3": 20}
    await world.ask("slow", content={"init_images": [f"s3://{world.bucket}/inputs/a.png"]})
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, timings=replace(QUICK, slow_preparation=0.2)) as parts, at_work(parts):
        await until(lambda: conditions.calls["s3", "GET"] == 1)
        await world.ask("fast")
        # Then the other one is run meanwhile
        await until(lambda: [job.id for job in runtime.jobs] == ["fast"])
        conditions.latency = {}


async def test_a_runtime_that_fails_at_everything_gets_few_tasks_and_none_fails(world: World) -> None:
    # Given a runtime that answers everything with an error, and tasks that may fail once
    async def fail(_: Job) -> Result:
        raise RuntimeFault("runtime-error", "500 Internal Server Error")

    runtime = ScriptedRuntime(fail)
    for number in range(6):
        await world.ask(str(number))
    timings = replace(QUICK, trial_pauses=(0.2, 3600.0))
    async with assembled(world, runtime, timings=timings, max_attempts=2) as parts, at_work(parts):
        await until(lambda: parts.state.phase is Phase.SUSPECT)
        # When there was time for a trial
        await until(lambda: len(runtime.jobs) == 3)
        await until(lambda: held(world, 0))
        # Then it gets no more, and nobody was told of a failure
        assert await world.callbacks() == []
        assert len(runtime.jobs) == 3
        # When it works again and is tried
        runtime.work = finish_at_once
        runtime.is_ready = False
        await until(lambda: parts.state.phase is Phase.AWAY)
        runtime.is_ready = True
        # Then all are done
        every = await until(lambda: callbacks_of(world, 6))
    assert {callback["status"] for callback in every} == {"completed"}


async def test_a_runtime_whose_outputs_cannot_be_read_gets_few_tasks_and_none_fails(world: World) -> None:
    # Given a runtime that ends each run well, and gives outputs that cannot be read
    async def unreadable() -> AsyncIterator[bytes]:
        raise RuntimeFault("bad-answer", "an image that is not base64")
        yield b""

    async def work(_: Job) -> Result:
        return Result([Output(unreadable)], lambda _: {}, Ran("scripted"))

    runtime = ScriptedRuntime(work)
    for number in range(6):
        await world.ask(str(number))
    timings = replace(QUICK, trial_pauses=(3600.0,))
    async with assembled(world, runtime, timings=timings, max_attempts=2) as parts, at_work(parts):
        # Then it is suspected as soon as two tasks have failed, while a third may run
        await until(lambda: parts.state.phase is Phase.SUSPECT)
        await until(lambda: held(world, 0))
        assert len(runtime.jobs) <= 3
    assert await world.callbacks() == []


async def test_an_agent_that_cannot_deliver_takes_no_task(world: World) -> None:
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts, at_work(parts):
        await until(parts.state.taking.is_set)
        # Given results are not taken
        parts.delivery.suspend("store", Cause(type="aws-denied", message="PutObject is denied"))
        await asyncio.sleep(1.5)
        await world.ask()
        await asyncio.sleep(1.5)
        assert runtime.jobs == []
        assert await world.depth() == (1, 0)
        # When they are again
        parts.delivery.resume("store")
        assert await until(world.callbacks)
