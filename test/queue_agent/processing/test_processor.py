"""One task from its message to its end: its record, its lease, its checks and its callbacks."""

import asyncio
import json
from typing import Any

import pytest

from contract.object_keys import ObjectKeys
from contract.wire import encode_content, encode_reference
from queue_agent.processing.stages import Completed
from queue_agent.runtimes.base import Job, Result
from test.support.agents import assembled, key_of, killed, ran, received, worked
from test.support.world import ScriptedRuntime, World, a_result, a_task, never_finish, until
from utils.local.aws_proxy import Call, Conditions, error_answer

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_out_holds_the_full_answer_what_ran_and_the_message_id(world: World) -> None:
    # Given a task
    message_id = await world.ask()
    async with assembled(world, ScriptedRuntime()) as parts:
        # When it has run
        await worked(parts)
    # Then .out is the runtime's answer with the images' places, and what this platform says of the run
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
    callbacks = await world.callbacks()
    assert callbacks == [first[0], first[0]]
    assert len(runtime.jobs) == 1
    assert await world.depth() == (0, 0)


async def test_an_out_of_another_message_is_not_believed_and_not_overwritten(world: World) -> None:
    # Given two tasks of the same id and prefix whose codes collide
    message_id = await world.ask()
    keys = ObjectKeys(world.bucket, "out", "t1", message_id)
    foreign = {"task": {"message_id": "another", "callback": {}, "run_id": "x"}}
    await world.direct.s3.put_object(Bucket=world.bucket, Key=keys.record_key, Body=json.dumps(foreign).encode())
    image = keys.image_key(1, "png")
    await world.direct.s3.put_object(Bucket=world.bucket, Key=image, Body=b"the other task's picture")
    async with assembled(world, ScriptedRuntime()) as parts:
        # When the second one has run
        await worked(parts)
    # Then it has a code of its own, and the first one's objects are as they were
    (callback,) = await world.callbacks()
    assert callback["result"] is True
    assert key_of(callback["output_url"]) == keys.next_turn().record_key
    assert await world.read(image) == b"the other task's picture"
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


async def test_an_agent_whose_images_places_are_taken_by_the_same_message_keeps_silent(world: World) -> None:
    # Given two agents that both have the first delivery of one message, as SQS may hand it out
    await world.ask()
    async with assembled(world, ScriptedRuntime()) as first, assembled(world, ScriptedRuntime()) as second:
        prepared = await first.processor.prepare(await received(first))
        assert prepared is not None
        completed = await first.processor.run(prepared, first.stop)
        assert isinstance(completed, Completed)
        # When the other one has ended it, and then this one would
        await ran(second, prepared)
        callbacks = await world.callbacks()
        assert len(callbacks) == 1
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
    results = {callback["status"]: callback["result"] for callback in await world.callbacks()}
    assert results == {"running": None, "completed": True}


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


def _fails(service: str, action: str) -> Any:
    return lambda call: error_answer("InternalError", 500) if call == Call(service, action, call.path) else None
