"""A task whose deadline passes, before its run and in it."""

import time

import pytest

from contract.task_table.item import State
from contract.wire import encode_task
from test.support.agents import BEATING, assembled, at_work, received, worked
from test.support.tables import cancel, has_status, submit
from test.support.world import ScriptedRuntime, World, a_task, never_finish, until

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_a_task_beyond_its_deadline_is_not_run(table_world: World) -> None:
    world, runtime = table_world, ScriptedRuntime()
    await submit(world, deadline=int(time.time()) - 1)
    async with assembled(world, runtime, timings=BEATING) as parts:
        await worked(parts)
    (callback,) = await world.callbacks()
    assert (callback["status"], callback["result"]) == ("expired", False)
    assert runtime.jobs == []
    assert await has_status(world, State.EXPIRED) is not None
    assert await world.depth() == (0, 0)


async def test_a_cancellation_before_the_deadline_counts(table_world: World) -> None:
    # Given a task that was canceled in time, and is taken too late
    world, runtime = table_world, ScriptedRuntime()
    await submit(world, deadline=int(time.time()) - 1)
    assert await cancel(world)
    async with assembled(world, runtime, timings=BEATING) as parts:
        await worked(parts)
    # Then the callback says what the client was promised
    assert [callback["status"] for callback in await world.callbacks()] == ["canceled"]
    assert runtime.jobs == []


async def test_a_deadline_holds_without_a_table_too(world: World) -> None:
    runtime = ScriptedRuntime()
    await world.send(encode_task(a_task()), {"deadline": str(int(time.time()) - 1)})
    async with assembled(world, runtime) as parts:
        await worked(parts)
    assert [callback["status"] for callback in await world.callbacks()] == ["expired"]
    assert runtime.jobs == []


async def test_a_task_whose_deadline_passes_while_it_is_prepared_is_not_run(table_world: World) -> None:
    # Given a task that was prepared in time
    world, runtime = table_world, ScriptedRuntime()
    await submit(world, deadline=int(time.time()) + 3600)
    async with assembled(world, runtime, timings=BEATING) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        prepared.delivery.lease.deadline = int(time.time()) - 1
        # When the runtime is free too late
        failed = await parts.processor.run(prepared, parts.stop)
        await parts.processor.settle(failed, counted=True)  # type: ignore[arg-type]  # it has failed
    assert [callback["status"] for callback in await world.callbacks()] == ["expired"]
    assert runtime.jobs == []


async def test_a_run_is_stopped_at_its_deadline(table_world: World) -> None:
    world, runtime = table_world, ScriptedRuntime(never_finish)
    await submit(world, deadline=int(time.time()) + 2)
    async with assembled(world, runtime, timings=BEATING) as parts, at_work(parts):
        expired = await until(lambda: has_status(world, State.EXPIRED))
        (callback,) = await until(world.callbacks)
    assert callback["status"] == "expired"
    assert len(runtime.jobs) == 1
    assert expired.gpu_seconds > 0
    assert time.time() >= expired.deadline
