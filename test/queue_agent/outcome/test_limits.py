"""What a task may deliver: counts and bytes, and that more of it fails the task at once."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from contract.policy.model import TaskPolicy
from queue_agent.outcome.limits import MAX_RECORD_BYTES, OutputLimits
from queue_agent.runtimes.base import Job, Output, Ran, Result
from test.support.agents import assembled, key_of, worked
from test.support.world import PNG, ScriptedRuntime, World, a_result

pytestmark = pytest.mark.usefixtures("short_polls")


async def callback_of(world: World, result: Callable[[], Result], **policy: int) -> dict[str, Any]:
    """The only callback of a task whose run gives the result, under the policy."""

    async def work(_: Job) -> Result:
        return result()

    await world.ask()
    runtime = ScriptedRuntime(work)
    async with assembled(world, runtime, task_policy=TaskPolicy.model_validate(policy)) as parts:
        await worked(parts)
    assert len(runtime.jobs) == 1, "another run would give as much"
    assert await world.depth() == (0, 0)
    (callback,) = await world.callbacks()
    return callback


def an_output(*chunks: bytes) -> Output:
    async def read() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return Output(read, extension="mp4")


def test_the_limits_are_those_of_the_policy() -> None:
    policy = TaskPolicy(max_outputs=2, max_output_bytes=3, max_total_output_bytes=4)

    assert OutputLimits.of(policy) == OutputLimits(2, 3, 4, MAX_RECORD_BYTES)


async def test_as_many_outputs_as_are_allowed_are_delivered(world: World) -> None:
    callback = await callback_of(world, lambda: a_result(PNG, PNG), max_outputs=2)

    assert len(callback["image_url"]) == 2


async def test_more_outputs_than_allowed_fail_the_task(world: World) -> None:
    callback = await callback_of(world, lambda: a_result(PNG, PNG, PNG), max_outputs=2)

    assert callback["error"] == {
        "type": "output-limit",
        "message": "the run gave 3 outputs; a task may have 2 (taskPolicy.maxOutputs)",
    }
    assert await world.keys() == [key_of(callback["output_url"])], "none is stored"


async def test_grids_do_not_count(world: World) -> None:
    def with_a_grid() -> Result:
        return Result([Output.of(PNG)] * 3, _answer, Ran("scripted"), additional=1)

    callback = await callback_of(world, with_a_grid, max_outputs=2)

    assert len(callback["image_url"]) == 3


@pytest.mark.parametrize("chunks", [[b"x" * 101], [b"x" * 50] * 3], ids=["at once", "in chunks"])
async def test_an_output_with_too_many_bytes_fails_the_task(chunks: Sequence[bytes], world: World) -> None:
    callback = await callback_of(
        world, lambda: Result([an_output(*chunks)], _answer, Ran("scripted")), max_output_bytes=100
    )

    assert callback["error"]["type"] == "output-limit"
    assert "an output may have 100 bytes (taskPolicy.maxOutputBytes)" in callback["error"]["message"]


async def test_an_upload_in_parts_ends_with_the_part_that_is_too_much(world: World) -> None:
    # Given an output without an end
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield bytes(1024 * 1024)

    callback = await callback_of(
        world, lambda: Result([Output(endless)], _answer, Ran("scripted")), max_output_bytes=20 * 1024 * 1024
    )

    # Then
    assert callback["error"]["type"] == "output-limit"
    assert len(read) <= 32
    assert await world.keys() == [key_of(callback["output_url"])]
    uploads = await world.direct.s3.list_multipart_uploads(Bucket=world.bucket)
    assert not uploads.get("Uploads")


async def test_outputs_that_are_too_large_together_fail_the_task(world: World) -> None:
    callback = await callback_of(
        world,
        lambda: Result([an_output(b"x" * 40) for _ in range(3)], _answer, Ran("scripted")),
        max_total_output_bytes=100,
    )

    assert callback["error"]["type"] == "output-limit"
    assert "those of a task may have 100 bytes (taskPolicy.maxTotalOutputBytes)" in callback["error"]["message"]


async def test_an_answer_that_is_too_large_for_the_record_fails_the_task(world: World) -> None:
    callback = await callback_of(
        world, lambda: Result([Output.of(PNG)], lambda _: {"info": "x" * MAX_RECORD_BYTES}, Ran("scripted"))
    )

    # Then the record tells the failure
    assert callback["error"]["type"] == "output-limit"
    assert f"it may have {MAX_RECORD_BYTES}" in callback["error"]["message"]
    record = json.loads(await world.read(key_of(callback["output_url"])))
    assert record["task"]["callback"] == callback


def _answer(urls: Sequence[str]) -> dict[str, Any]:
    return {"images": list(urls)}
