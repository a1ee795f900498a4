"""An agent that is killed leaves what it held to its successor in the same pod."""

import asyncio
import json
import time
from pathlib import Path

from queue_agent.aws.journal import HeldMessage
from queue_agent.runtimes.base import PreparedJob, Result, RunMonitor
from test.support.agents import Assembled, assembled, at_work, callbacks_of, held, received, worked
from test.support.world import ScriptedRuntime, World, a_result, never_finish, running, until
from utils.local.aws_proxy import Conditions, error_answer


async def die(parts: Assembled) -> None:
    """As SIGKILL would: leases are not renewed any more, and nothing else happens."""
    for renewal in list(parts.queue._renewals._tasks.values()):
        renewal.cancel()


def files(folder: Path) -> dict[str, str]:
    """The files that are kept, by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


async def test_a_prefetched_message_is_released_at_once_and_uncounted(world: World, tmp_path: Path) -> None:
    # Given an agent that is killed while it holds a message
    await world.ask("dog")
    async with assembled(world, ScriptedRuntime(), state_dir=tmp_path, lease_seconds=3600) as first:
        await received(first)
        await die(first)
    assert await held(world, 1)
    # When it is started again, then the task is run within a few seconds although its lease has not expired
    runtime = ScriptedRuntime()
    began = time.monotonic()
    async with assembled(world, runtime, state_dir=tmp_path, max_attempts=1) as second, at_work(second):
        (callback,) = await until(world.callbacks)
    assert callback["result"] is True
    assert time.monotonic() - began < 30
    assert len(runtime.jobs) == 1


async def test_a_message_whose_callback_was_sent_is_only_deleted(
    world: World, conditions: Conditions, tmp_path: Path
) -> None:
    # Given an agent that is killed between a callback and the deletion of its message
    await world.ask("dog")
    conditions.failure = lambda call: error_answer("InternalError", 500) if call.action == "DeleteMessage" else None
    async with (
        assembled(world, ScriptedRuntime(), state_dir=tmp_path, lease_seconds=3600) as first,
        running(worked(first)),
    ):
        await until(lambda: any('"notified": true' in text for text in files(tmp_path).values()))
        kept = files(tmp_path)
    await until(lambda: held(world, 0))
    conditions.failure = None
    lease = await _leased_again(world)
    for name, text in kept.items():
        (tmp_path / name).write_text(text.replace(_receipt(text), lease))
    # When it is started again
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, state_dir=tmp_path) as second, at_work(second):
        await until(lambda: held(world, 0))
    # Then the message is gone, and no second callback was sent
    assert await world.depth() == (0, 0)
    assert len(await world.callbacks()) == 1
    assert runtime.jobs == []


async def test_a_run_that_was_begun_counts(world: World, tmp_path: Path) -> None:
    # Given an agent that is killed in the middle of a run that the runtime does not survive
    await world.ask("dog")
    runtime = ScriptedRuntime(never_finish)
    async with assembled(world, runtime, state_dir=tmp_path, lease_seconds=3600) as first:
        prepared = await first.processor.prepare(await received(first))
        assert prepared is not None
        run = asyncio.create_task(first.processor.run(prepared, first.stop))
        await until(lambda: runtime.jobs)
        kept = files(tmp_path)
        run.cancel()
        await asyncio.wait([run])
    # What the process left when it was killed, before it could give anything back
    await until(lambda: held(world, 0))
    lease = await _leased_again(world)
    for name, text in kept.items():
        (tmp_path / name).write_text(text.replace(_receipt(text), lease))
    # When it is started again with one attempt a task
    async with assembled(world, ScriptedRuntime(), state_dir=tmp_path, max_attempts=1) as second, at_work(second):
        (callback,) = await until(world.callbacks)
    # Then the attempt was that one
    assert callback["result"] is False


async def test_a_job_that_the_runtime_still_works_on_is_adopted(world: World, tmp_path: Path) -> None:
    # Given a runtime that names its jobs and survives its agent
    class Surviving(ScriptedRuntime):
        adopted: list[str] = []  # noqa: RUF012 - one test, one list

        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            monitor.accept("job-7")
            return await super().run(prepared, monitor)

        async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:
            self.adopted.append(job_ref)
            monitor.begin()
            return a_result()

    runtime = Surviving(never_finish)
    await world.ask("dog")
    async with assembled(world, runtime, state_dir=tmp_path, lease_seconds=3600) as first:
        prepared = await first.processor.prepare(await received(first))
        assert prepared is not None
        run = asyncio.create_task(first.processor.run(prepared, first.stop))
        await until(lambda: runtime.jobs)
        kept = files(tmp_path)
        await die(first)
        for name, text in kept.items():
            (tmp_path / name).write_text(text)
        # When its successor starts
        async with assembled(world, runtime, state_dir=tmp_path, max_attempts=1) as second, at_work(second):
            (callback,) = await until(world.callbacks)
        run.cancel()
        await asyncio.wait([run])
    # Then the job was followed to its end, and not run again
    assert callback["result"] is True
    assert runtime.adopted == ["job-7"]
    assert len(runtime.jobs) == 1


async def test_a_message_that_is_another_agents_by_now_is_left_alone(world: World, tmp_path: Path) -> None:
    # Given a kept lease whose message is gone
    await world.ask("dog")
    async with assembled(world, ScriptedRuntime(), state_dir=tmp_path, lease_seconds=3600) as first:
        lease = await received(first)
        await die(first)
        await world.direct.sqs.delete_message(QueueUrl=world.queue_url, ReceiptHandle=lease.receipt)
    # When the successor starts, then it goes on with other tasks
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, state_dir=tmp_path) as second, at_work(second):
        await world.ask("cat")
        await until(lambda: callbacks_of(world, 1))
    assert [job.id for job in runtime.jobs] == ["cat"]
    assert files(tmp_path) == {}


async def _leased_again(world: World) -> str:
    """The receipt of the one message, held for long."""

    async def receive() -> str | None:
        answer = await world.direct.sqs.receive_message(QueueUrl=world.queue_url, VisibilityTimeout=3600)
        messages = answer.get("Messages", [])
        return messages[0]["ReceiptHandle"] if messages else None

    return str(await until(receive))


def _receipt(text: str) -> str:
    return HeldMessage(**json.loads(text)).receipt
