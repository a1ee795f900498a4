"""What a runtime gives becomes objects: whole, named for what they are, and written once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contract.object_keys import ObjectKeys
from queue_agent.errors import RuntimeUnavailable
from queue_agent.outcome.store import KeyTaken
from queue_agent.runtimes.base import Job, Output, Ran, Result
from test.support.agents import assembled, key_of, received, worked
from test.support.world import PNG, ScriptedRuntime, World, a_result
from utils.local.aws_proxy import Conditions

pytestmark = pytest.mark.usefixtures("short_waits")


async def test_an_empty_output_is_never_a_completed_task(world: World) -> None:
    # Given a runtime that gives nothing
    await world.ask()

    async def empty(_: Job) -> Result:
        return a_result(b"")

    async with assembled(world, ScriptedRuntime(empty), max_attempts=1) as parts:
        await worked(parts)
    (callback,) = await world.callbacks()
    assert callback["result"] is False
    assert "output 1 of the runtime is empty" in callback["error"]["message"]


async def test_an_output_that_dies_with_its_runtime_costs_an_attempt(world: World) -> None:
    # Given a runtime that is gone before its image was read
    await world.ask()

    async def gone() -> AsyncIterator[bytes]:
        raise RuntimeUnavailable("runtime-gone", "no answer")
        yield b""

    async def work(_: Job) -> Result:
        return Result([Output(gone)], lambda _: {}, Ran("scripted"))

    async with assembled(world, ScriptedRuntime(work), max_attempts=1) as parts:
        await worked(parts)
    (callback,) = await world.callbacks()
    assert callback["error"]["message"] == "gave up after 1 attempt: no answer"


async def test_images_of_every_kind_get_their_extension(world: World) -> None:
    # Given a gif, a webp, a jpg, an mp4 and something that only the runtime can name
    await world.ask()
    gif, webp, jpg = b"GIF89a" + bytes(32), b"RIFF\x24\0\0\0WEBPVP8 " + bytes(32), b"\xff\xd8\xff\xe0" + bytes(32)
    mp4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"

    async def latent() -> AsyncIterator[bytes]:
        yield b"numbers"

    async def work(_: Job) -> Result:
        known = [Output.of(data) for data in (PNG, gif, webp, jpg, mp4)]
        return Result([*known, Output(latent, extension="latent")], lambda _: {}, Ran("scripted"))

    async with assembled(world, ScriptedRuntime(work)) as parts:
        await worked(parts)
    (callback,) = await world.callbacks()
    assert [url.rpartition(".")[2] for url in callback["image_url"]] == ["png", "gif", "webp", "jpg", "mp4", "latent"]
    assert [url.rpartition("-")[2][0] for url in callback["image_url"]] == list("123456")


async def test_a_large_video_goes_up_in_parts(world: World, conditions: Conditions) -> None:
    # Given an output of 20 MB
    await world.ask()
    chunk = b"\0\0\0\x20ftypisom" + bytes(1_000_000)

    async def video() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield chunk

    async def work(_: Job) -> Result:
        return Result([Output(video)], lambda _: {}, Ran("scripted"))

    async with assembled(world, ScriptedRuntime(work)) as parts:
        await worked(parts)
    # Then it arrives whole
    (callback,) = await world.callbacks()
    assert await world.read(key_of(callback["image_url"][0])) == chunk * 20


async def test_a_video_whose_runtime_dies_leaves_no_half_upload(world: World) -> None:
    # Given a large output that breaks off
    await world.ask()

    async def video() -> AsyncIterator[bytes]:
        for _ in range(18):
            yield bytes(1_000_000)
        raise RuntimeUnavailable("runtime-gone", "no answer")

    async def work(_: Job) -> Result:
        return Result([Output(video, extension="mp4")], lambda _: {}, Ran("scripted"))

    async with assembled(world, ScriptedRuntime(work), max_attempts=1) as parts:
        await worked(parts)
    uploads = await world.direct.s3.list_multipart_uploads(Bucket=world.bucket)
    assert uploads.get("Uploads", []) == []
    (callback,) = await world.callbacks()
    assert callback["result"] is False


async def test_a_large_output_never_overwrites_another_tasks(world: World) -> None:
    # Given an object under the name of a large output
    message_id = await world.ask()
    key = ObjectKeys(world.bucket, "out", "t1", message_id).image_key(1, "mp4")
    await world.direct.s3.put_object(Bucket=world.bucket, Key=key, Body=b"another task's")

    async def video() -> AsyncIterator[bytes]:
        for _ in range(18):
            yield bytes(1_000_000)

    async with assembled(world, ScriptedRuntime()) as parts:
        prepared = await parts.processor.prepare(await received(parts))
        assert prepared is not None
        delivery = prepared.delivery
        # When it is stored as something new
        with delivery.lease.trace.span("store") as span, pytest.raises(KeyTaken):
            await parts.store.put_outputs(delivery.keys, [Output(video, extension="mp4")], span, fresh=True)
        await parts.queue.release(delivery.lease)
    # Then the other one is untouched, and no half upload is left
    assert await world.read(key) == b"another task's"
    uploads = await world.direct.s3.list_multipart_uploads(Bucket=world.bucket)
    assert uploads.get("Uploads", []) == []


async def test_a_put_whose_answer_was_lost_is_not_taken_for_another_agents(world: World) -> None:
    # Given a record that this very run has written
    message_id = await world.ask()
    keys = ObjectKeys(world.bucket, "out", "t1", message_id)
    async with assembled(world, ScriptedRuntime()) as parts:
        await parts.store.put_record(keys, {}, {"callback": _told_callback()}, "this-run")
        # When the same run writes it again, as the SDK does when no answer came
        await parts.store.put_record(keys, {}, {"callback": _told_callback()}, "this-run")


def _told_callback() -> dict[str, Any]:
    return {"id": "t1", "result": True, "runtime": "r", "status": "completed"}
