"""One task from its message to its end: its record, its lease, its limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from contract.object_keys import ObjectKeys
from contract.runtimes import TaskType
from contract.wire import encode_content, encode_reference
from queue_agent.errors import RuntimeBusy, RuntimeUnavailable
from queue_agent.inputs.fetcher import Limits
from queue_agent.processing.stages import Completed, Failed
from queue_agent.runtimes.base import Job, Output, PreparedJob, Ran, Result, RunMonitor
from test.bench.webui import serving
from test.support.agents import QUICK, assembled, key_of, killed, ran, received, worked
from test.support.world import ScriptedRuntime, World, a_result, a_task, never_finish, until
from utils.local.aws_proxy import Call, Conditions, error_answer


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_agent.aws.queue.LONG_POLL_SECONDS", 1)
    monkeypatch.setattr("queue_agent.outcome.disposition.FIRST_RETRY_DELAY", 0)


async def test_out_holds_the_full_answer_what_ran_and_the_message_id(world: World) -> None:
    # Given a task
    message_id = await world.ask()
    async with assembled(world, ScriptedRuntime()) as parts:
        # When it has run
        await worked(parts)
    # Then .out is the runtime's answer with the pictures' places, and what this platform says of the run
    (callback,) = await world.callbacks()
    out = json.loads(await world.read(key_of(callback["output_url"])))
    task = out.pop("task")
    assert out == {"images": callback["image_url"], "info": "full answer"}
    assert task["message_id"] == message_id
    assert task["callback"] == callback
    assert task["ran"] == {
        "runtime": "scripted",
        "version": "1.0",
        "model": "m",
        "model_hash": "h",
        "seeds": [7],
        "seconds": 1.25,
    }


async def test_a_redelivered_task_whose_out_exists_is_told_again_without_the_gpu(
    world: World, conditions: Conditions
) -> None:
    # Given a task that was stored and told, but whose message could not be deleted before the agent died
    await world.ask()
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, lease_seconds=2) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        conditions.failure = _fails("sqs", "DeleteMessage")
        dying = asyncio.create_task(ran(parts, prepared))
        first = await until(world.callbacks)
        await killed(dying, parts, prepared)
    conditions.failure = None
    async with assembled(world, runtime) as parts:
        # When the message is delivered again
        await worked(parts)
    # Then the caller hears the same words, and the runtime was asked once
    told = await world.callbacks()
    assert told == [first[0], first[0]]
    assert len(runtime.jobs) == 1
    assert await world.depth() == (0, 0)


async def test_an_out_of_another_message_is_not_believed_and_not_overwritten(world: World) -> None:
    # Given two tasks of the same id and prefix whose codes collide
    message_id = await world.ask()
    keys = ObjectKeys(world.bucket, "out", "t1", message_id)
    foreign = {"task": {"message_id": "another", "callback": {}, "run_id": "x"}}
    await world.direct.s3.put_object(Bucket=world.bucket, Key=keys.record_key, Body=json.dumps(foreign).encode())
    picture = keys.image_key(1, "png")
    await world.direct.s3.put_object(Bucket=world.bucket, Key=picture, Body=b"the other task's picture")
    async with assembled(world, ScriptedRuntime()) as parts:
        # When the second one has run
        await worked(parts)
    # Then it has a code of its own, and the first one's objects are as they were
    (callback,) = await world.callbacks()
    assert callback["result"] is True
    assert key_of(callback["output_url"]) == keys.next_turn().record_key
    assert await world.read(picture) == b"the other task's picture"
    assert json.loads(await world.read(keys.record_key)) == foreign


async def test_of_two_agents_with_one_message_only_one_commits_and_tells(world: World) -> None:
    # Given SQS hands one message to two agents, and both run it
    await world.ask()
    one, two = ScriptedRuntime(), ScriptedRuntime()
    async with assembled(world, one, lease_seconds=1) as first, assembled(world, two) as second:
        lease = await received(first)
        slow = await first.processor.prepare(lease)
        assert slow is not None
        await first.queue.abandon(lease)
        fast = await second.processor.prepare(await received(second))
        assert fast is not None
        # When both end
        await ran(second, fast)
        await ran(first, slow)
    # Then the loser keeps silent
    assert len(await world.callbacks()) == 1
    assert (len(one.jobs), len(two.jobs)) == (1, 1)


async def test_an_agent_whose_pictures_places_are_taken_by_the_same_message_keeps_silent(world: World) -> None:
    # Given two agents that both have the first delivery of one message, as SQS may hand it out
    await world.ask()
    async with assembled(world, ScriptedRuntime()) as first, assembled(world, ScriptedRuntime()) as second:
        prepared = await first.processor.prepare(await received(first))
        assert prepared is not None
        completed = await first.processor.run(prepared, first.stop)
        assert isinstance(completed, Completed)
        # When the other one has ended it, and then this one would
        await ran(second, prepared)
        told = await world.callbacks()
        assert len(told) == 1
        await first.processor.finish(completed)
    # Then the caller was told once
    assert len(await world.callbacks()) == 1


async def test_a_lost_lease_never_leads_to_a_callback_from_this_agent(world: World) -> None:
    # Given a task whose lease is lost while it runs
    await world.ask()
    runtime = ScriptedRuntime(never_finish)
    async with assembled(world, runtime) as parts:
        lease = await received(parts)
        prepared = await parts.processor.prepare(lease)
        assert prepared is not None
        run = asyncio.create_task(ran(parts, prepared))
        await until(lambda: runtime.jobs)
        # When another agent may have it
        lease.lost.set()
        await run
    # Then the runtime is stopped, and nobody is told anything
    assert runtime.interrupts == 1
    assert await world.callbacks() == []
    assert await world.depth() == (0, 1)


async def test_a_lease_lost_while_storing_is_as_silent(world: World) -> None:
    # Given a result whose lease is lost before it is told
    await world.ask()
    async with assembled(world, ScriptedRuntime()) as parts:
        lease = await received(parts)
        prepared = await parts.processor.prepare(lease)
        assert prepared is not None
        completed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(completed, Completed)
        lease.lost.set()
        # When it is stored
        await parts.processor.finish(completed)
    # Then it is not told
    assert await world.callbacks() == []


async def test_a_timeout_interrupts_the_runtime_and_fails_the_task(world: World) -> None:
    # Given a task that takes longer than a task may
    await world.ask()
    runtime = ScriptedRuntime(never_finish)
    async with assembled(world, runtime, task_timeout=0.2) as parts:
        await worked(parts)
    # Then the runtime was interrupted, and the task failed at once
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "timeout"
    assert "0.2 s" in callback["error"]["message"]
    assert (len(runtime.jobs), runtime.interrupts) == (1, 1)


async def test_after_a_timeout_the_runtime_is_interrupted_until_it_is_seen_idle(world: World) -> None:
    # Given a runtime that takes its time to stop
    class Slow(ScriptedRuntime):
        async def interrupt(self) -> bool:
            await super().interrupt()
            return self.interrupts == 3

    await world.ask()
    runtime = Slow(never_finish)
    async with assembled(world, runtime, task_timeout=0.1) as parts:
        # When the task has failed
        await worked(parts)
    # Then the runtime is idle
    assert runtime.interrupts == 3


async def test_a_runtime_that_is_gone_is_not_asked_to_stop_for_ever(world: World) -> None:
    # Given a runtime that dies as it is interrupted
    class Dying(ScriptedRuntime):
        async def interrupt(self) -> bool:
            self.interrupts += 1
            dead.set()
            return False

    dead = asyncio.Event()

    async def die(_: Job) -> Result:
        await dead.wait()
        raise RuntimeUnavailable("runtime-died", "the runtime closed the connection")

    await world.ask()
    runtime = Dying(die)
    async with assembled(world, runtime, task_timeout=0.1) as parts:
        # When the task's time is up
        await worked(parts)
    # Then one or two words are enough, and the task has failed for its time
    assert runtime.interrupts <= 2
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "timeout"


async def test_a_task_type_of_another_runtime_fails_with_what_this_one_serves(world: World) -> None:
    await world.ask(tasktype="pipeline")
    async with assembled(world, ScriptedRuntime()) as parts:
        await worked(parts)
    (callback,) = await world.callbacks()
    assert "sdwebui does not serve pipeline; it serves text-to-image" in callback["error"]["message"]


async def test_a_task_that_was_published_past_the_front_door_is_held_to_the_policy(world: World) -> None:
    # Given a task that no front door has judged
    await world.ask(content={"prompt": "a dog", "steps": 10**9})
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        await worked(parts)
    # Then it fails with the field, the cap and the value, and the runtime has not seen it
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "policy"
    assert "content.steps" in callback["error"]["message"]
    assert str(10**9) in callback["error"]["message"]
    assert runtime.jobs == []


async def test_a_content_in_s3_is_read_from_the_platforms_own_folder(world: World) -> None:
    # Given a claim check
    task, key = a_task(), ".platform/requests/1.json"
    await world.direct.s3.put_object(Bucket=world.bucket, Key=key, Body=encode_content(task.content).encode())
    await world.send(encode_reference(task, f"s3://{world.bucket}/{key}"))
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        await worked(parts)
    # Then the runtime got the content
    assert [dict(job.content) for job in runtime.jobs] == [task.content]


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("out/elsewhere.json", b"{}"),
        (".platform/requests/gone.json", None),
        (".platform/requests/x.json", b"[]"),
        (".platform/requests/y.json", b"{"),
    ],
)
async def test_a_claim_check_that_does_not_hold_fails_the_task(world: World, key: str, body: bytes | None) -> None:
    # Given a message whose content is not where and what it should be
    if body is not None:
        await world.direct.s3.put_object(Bucket=world.bucket, Key=key, Body=body)
    await world.send(encode_reference(a_task(), f"s3://{world.bucket}/{key}"))
    runtime = ScriptedRuntime()
    async with assembled(world, runtime) as parts:
        await worked(parts)
    # Then the caller hears of it
    (callback,) = await world.callbacks()
    assert callback["result"] is False
    assert runtime.jobs == []


async def test_running_callbacks_are_sent_when_asked_for(world: World) -> None:
    # Given the setting is on
    await world.ask()
    async with assembled(world, ScriptedRuntime(), running_callbacks=True) as parts:
        await worked(parts)
    # Then the caller hears when the run begins and when it ends
    told = {callback["status"]: callback["result"] for callback in await world.callbacks()}
    assert told == {"running": None, "completed": True}


async def test_a_failed_announcement_does_not_fail_the_task(world: World, conditions: Conditions) -> None:
    # Given SNS refuses the first words
    await world.ask()
    runtime = ScriptedRuntime()

    async def work(_: Job) -> Result:
        await until(lambda: conditions.calls["sns", "Publish"] >= 1)
        return a_result()

    runtime.work = work
    conditions.failure = lambda call: (
        error_answer("AuthorizationError", 403)
        if call.service == "sns" and conditions.calls["sns", "Publish"] == 1
        else None
    )
    async with assembled(world, runtime, running_callbacks=True) as parts:
        await worked(parts)
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]


async def test_a_task_cancelled_on_its_way_is_handed_back(world: World) -> None:
    # Given a task that is being prepared, and one that is being stored
    await world.ask()
    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        completed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(completed, Completed)
        result = Result([Output(_endless)], lambda _: {}, Ran("scripted"))
        storing = asyncio.create_task(parts.processor.finish(replace(completed, result=result)))
        await asyncio.sleep(0.1)
        # When it is cancelled
        storing.cancel()
        await asyncio.wait([storing])
    # Then the message is there for the next agent
    assert storing.cancelled()
    assert await world.depth() == (1, 0)


async def _endless() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


def _fails(service: str, action: str) -> Any:
    return lambda call: error_answer("InternalError", 500) if call == Call(service, action, call.path) else None


async def test_a_task_cancelled_while_it_is_fetched_is_handed_back(world: World, conditions: Conditions) -> None:
    # Given an input that does not come
    conditions.latency = {"s3": 30}
    await world.ask(content={"init_images": [f"s3://{world.bucket}/inputs/a.png"]})
    async with assembled(world, ScriptedRuntime()) as parts:
        preparing = asyncio.create_task(parts.processor.prepare(await received(parts)))
        await until(lambda: conditions.calls["s3", "GET"] == 1)
        # When the agent is cut off
        preparing.cancel()
        await asyncio.wait([preparing])
        assert preparing.cancelled()
    # Then the task is there for others
    assert await world.depth() == (1, 0)


async def test_a_task_that_a_runtime_does_not_stop_is_run_once_more_elsewhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given runtimes that go on whatever they are told
    async def deaf() -> bool:
        return False

    first, second = ScriptedRuntime(never_finish), ScriptedRuntime(never_finish)
    for runtime in (first, second):
        runtime.interrupt = deaf  # type: ignore[method-assign]
    await world.ask()
    # When the task takes too long on one of them
    async with assembled(world, first, task_timeout=0.2) as parts:
        await worked(parts)
    # Then the runtime is to blame, and the task is there for another
    assert await world.callbacks() == []
    assert "the runtime does not stop" in caplog.text
    # When it does so there, too
    async with assembled(world, second, task_timeout=0.2) as parts:
        await worked(parts)
    # Then the task is
    (callback,) = await world.callbacks()
    assert callback["error"]["type"] == "timeout"


async def test_a_task_that_waits_behind_somebody_elses_job_does_not_use_up_its_time(world: World) -> None:
    # Given a runtime that begins with the task only after twice the task's time
    class Busy(ScriptedRuntime):
        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            await asyncio.sleep(0.4)
            return await super().run(prepared, monitor)

    await world.ask()
    async with assembled(world, Busy(), task_timeout=0.2) as parts:
        await worked(parts)
    # Then it completes
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]


async def test_a_task_that_waits_for_too_long_is_released_and_does_not_count(world: World) -> None:
    # Given a runtime that never begins with the task
    class Taken(ScriptedRuntime):
        async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
            await asyncio.Event().wait()
            raise AssertionError

    await world.ask()
    async with assembled(world, Taken(), timings=replace(QUICK, busy_limit=0.1), max_attempts=1) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        failed = await parts.processor.run(prepared, parts.stop)
        assert isinstance(failed, Failed)
        assert isinstance(failed.raised, RuntimeBusy)
        await parts.processor.settle(failed, counted=not parts.readiness.failed("m", failed.raised))
    # Then it is there for others, and nobody hears of a failure
    assert await world.depth() == (1, 0)
    assert await world.callbacks() == []


async def test_a_run_that_ends_as_its_time_is_over_counts_as_ended(world: World) -> None:
    # Given a runtime that has just finished when it is interrupted
    class JustInTime(ScriptedRuntime):
        async def interrupt(self) -> bool:
            finished.set()
            await asyncio.sleep(0.05)
            return True

    finished = asyncio.Event()

    async def work(_: Job) -> Result:
        await finished.wait()
        return a_result()

    await world.ask()
    async with assembled(world, JustInTime(work), task_timeout=0.1) as parts:
        await worked(parts)
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]


async def test_a_task_whose_link_is_not_reached_here_is_left_to_other_agents_once(world: World) -> None:
    # Given a link whose server is in trouble
    asked = 0

    async def trouble(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/a.png", trouble)
    limits = Limits(
        max_bytes=1000, timeout=30, networks=(ip_network("127.0.0.0/8"),), allow_loopback=True, retry_pause=0.01
    )
    attempts = []
    async with serving(app) as server, assembled(world, ScriptedRuntime(), limits=limits) as parts:
        content = {"prompt": "a", "init_images": [f"{server}/a.png"]}
        await world.ask(tasktype=TaskType.IMAGE_TO_IMAGE, content=content)
        # When the task is delivered to this agent three times
        for _ in range(3):
            before = asked
            assert await parts.processor.prepare(await received(parts)) is None
            attempts.append(asked > before)
    # Then it is attempted, left to others, and attempted again
    assert attempts == [True, False, True]
