"""A canceled task and its row in the task table: before its run, during it, and when its result is there already."""

import asyncio
import json
from dataclasses import replace

import pytest

from contract.task_table.item import State
from queue_agent.errors import PermanentError, RuntimeHung, TaskCanceled
from queue_agent.processing.stages import Failed
from queue_agent.runtimes.base import Job, Result
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import BEATING, BLIND, assembled, at_work, callbacks_of, key_of, received, worked
from test.support.tables import an_item, cancel, has_status, item_of, submit
from test.support.world import ScriptedRuntime, World, a_result, finish_at_once, never_finish, until
from utils.local.aws_proxy import Conditions

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_a_task_that_was_canceled_while_it_waited_never_reaches_the_runtime(table_world: World) -> None:
    # Given a canceled task in the queue, and another
    world, runtime = table_world, ScriptedRuntime()
    await submit(world)
    assert await cancel(world)
    await submit(world, "t2")
    metrics = Metrics("r")
    async with assembled(world, runtime, timings=BEATING, telemetry=Telemetry(metrics)) as parts, at_work(parts):
        callbacks = await until(lambda: callbacks_of(world, 2))
        await until(lambda: _is_empty(world))
    # Then it has a record and a callback that say so, and the runtime saw the other only
    canceled = next(callback for callback in callbacks if callback["id"] == "t1")
    assert (canceled["status"], canceled["result"], canceled["error"]["type"]) == ("canceled", False, "canceled")
    recorded = json.loads(await world.read(key_of(canceled["output_url"])))
    assert recorded["task"]["callback"] == canceled
    assert [job.id for job in runtime.jobs] == ["t2"]
    item = await item_of(world)
    assert item is not None
    assert (item.status, item.revision) == (State.CANCELED, 2)
    assert 'tasks_total{runtime="r",outcome="canceled",cause=""} 1' in metrics.text()


async def _is_empty(world: World) -> bool:
    return await world.depth() == (0, 0)


async def test_a_run_that_begins_although_its_task_was_canceled_is_stopped(table_world: World) -> None:
    # Given a canceled task, and no time to look at the table first
    world, runtime = table_world, ScriptedRuntime(never_finish)
    await submit(world)
    assert await cancel(world)
    async with assembled(world, runtime, timings=BLIND) as parts, at_work(parts):
        (callback,) = await until(world.callbacks)
        # When the next task comes, then it runs
        runtime.work = finish_at_once
        await submit(world, "t2")
        await until(lambda: has_status(world, State.COMPLETED, "t2"))
    # Then its run was refused and interrupted
    assert callback["status"] == "canceled"
    assert [job.id for job in runtime.jobs] == ["t1", "t2"]
    assert runtime.interrupts >= 1


async def test_a_canceled_run_is_stopped_and_the_next_task_runs(table_world: World) -> None:
    # Given a task that runs
    world, runtime = table_world, ScriptedRuntime(never_finish)
    await submit(world)
    async with assembled(world, runtime, timings=BEATING) as parts, at_work(parts):
        await until(lambda: has_status(world, State.RUNNING))
        # When it is canceled
        runtime.work = finish_at_once
        await submit(world, "t2")
        assert await cancel(world)
        # Then it ends as canceled, with what it used, and the next task is unharmed
        canceled = await until(lambda: has_status(world, State.CANCELED))
        await until(lambda: has_status(world, State.COMPLETED, "t2"))
        callbacks = await until(lambda: callbacks_of(world, 2))
    assert {callback["id"]: callback["status"] for callback in callbacks} == {"t1": "canceled", "t2": "completed"}
    assert canceled.gpu_seconds > 0
    assert canceled.error is None
    assert canceled.record is not None
    assert await world.dead_letters() == []


async def test_a_canceled_run_that_ignores_interrupts_ends_all_the_same(table_world: World) -> None:
    # Given a runtime that cannot be stopped
    world = table_world

    class Deaf(ScriptedRuntime):
        async def interrupt(self) -> bool:
            self.interrupts += 1
            return False

    runtime = Deaf(never_finish)
    await submit(world)
    deaf = replace(BEATING, idle_limit=0.3, interrupt_pause=0.05, trial_pauses=(60.0,))
    async with assembled(world, runtime, timings=deaf) as parts, at_work(parts):
        await until(lambda: has_status(world, State.RUNNING))
        # When its task is canceled
        assert await cancel(world)
        (callback,) = await until(world.callbacks)
        # Then the task is over, and the runtime gets no other one
        assert callback["status"] == "canceled"
        assert await has_status(world, State.CANCELED) is not None
        assert not parts.state.taking.is_set()
    assert await world.depth() == (0, 0)


async def test_a_cancellation_counts_also_where_the_runtime_alone_is_to_blame(table_world: World) -> None:
    # Given a canceled run on a suspect runtime, whose failures do not count
    world = table_world
    await submit(world)
    async with assembled(world, ScriptedRuntime(), timings=BEATING) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        failed = Failed(prepared.delivery.begun(), TaskCanceled(), RuntimeHung(1.0))
        await parts.processor.settle(failed, counted=False)
    # Then it does not run again
    assert [callback["status"] for callback in await world.callbacks()] == ["canceled"]
    assert await world.depth() == (0, 0)


async def test_a_finished_result_beats_a_late_cancellation(table_world: World) -> None:
    # Given a runtime that finishes in the moment in which it is asked to stop
    world = table_world

    class LastMoment(ScriptedRuntime):
        async def interrupt(self) -> bool:
            finish.set()
            await asyncio.sleep(0.05)
            self.interrupts += 1
            return True

    finish = asyncio.Event()

    async def work(_: Job) -> Result:
        await finish.wait()
        return a_result()

    runtime = LastMoment(work)
    await submit(world)
    async with assembled(world, runtime, timings=BEATING) as parts, at_work(parts):
        await until(lambda: has_status(world, State.RUNNING))
        # When it is canceled
        assert await cancel(world)
        (callback,) = await until(world.callbacks)
    # Then the result counts
    assert runtime.interrupts == 1
    assert callback["status"] == "completed"
    item = await item_of(world)
    assert item is not None
    assert item.status is State.COMPLETED


async def test_a_short_run_that_ends_before_its_claim_is_refused_is_discarded(
    table_world: World, conditions: Conditions
) -> None:
    # Given a canceled task whose run is over before the table answers
    world = table_world
    await submit(world)
    assert await cancel(world)
    conditions.latency = {"dynamodb": 0.3}
    async with assembled(world, ScriptedRuntime(), timings=BLIND) as parts:
        await worked(parts)
    # Then the client, who was promised that it is canceled, is told nothing else
    (callback,) = await world.callbacks()
    assert (callback["status"], callback["image_url"]) == ("canceled", [])


@pytest.mark.parametrize("innocent", [False, True])
async def test_a_short_run_that_fails_before_its_claim_is_refused_has_not_failed(
    table_world: World, conditions: Conditions, *, innocent: bool
) -> None:
    # Given a canceled task whose run fails before the table answers
    async def fail(_: Job) -> Result:
        raise PermanentError("bad", "the runtime refuses the task")

    world = table_world
    await submit(world)
    assert await cancel(world)
    conditions.latency = {"dynamodb": 0.3}
    async with assembled(world, ScriptedRuntime(fail), timings=BLIND) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        failed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(failed, Failed)
        await parts.processor.settle(failed, counted=not innocent)
    # Then the callback says what the table says
    assert [callback["status"] for callback in await world.callbacks()] == ["canceled"]
    assert await world.depth() == (0, 0)


async def test_a_task_whose_retry_was_canceled_does_not_run_again(table_world: World) -> None:
    # Given a run that was marked and whose agent died: the message comes again
    world, runtime = table_world, ScriptedRuntime()
    item = an_item(status=State.RUNNING, run="dead", attempt=1)
    await submit(world, item=item)
    assert await cancel(world)
    async with assembled(world, runtime, timings=BEATING) as parts:
        await parts.processor.release_unopened(await received(parts))
        await worked(parts)
    assert runtime.jobs == []
    assert (await world.callbacks())[0]["status"] == "canceled"
    item_now = await item_of(world)
    assert item_now is not None
    assert item_now.status is State.CANCELED
