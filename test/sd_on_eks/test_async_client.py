"""The asynchronous client has the verbs of the synchronous one."""

# ruff: noqa: ASYNC110, ASYNC240 - a folder has no event, and is small

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contract.task_table.item import State
from contract.task_table.writes import Ending
from sd_on_eks import (
    AsyncClient,
    AsyncOutput,
    AsyncTask,
    Client,
    Output,
    Status,
    Task,
    TaskFailed,
    WaitTimeout,
    text_to_image,
)
from test.sd_on_eks.agent import agent, stored
from test.sd_on_eks.conftest import PATIENCE, Site

JOB = text_to_image("a lighthouse", steps=2).having(runtime="sdruntime")


@pytest.fixture
async def client(site: Site) -> AsyncIterator[AsyncClient]:
    async with site.async_client() as opened:
        yield opened


@pytest.mark.parametrize(("kind", "twin"), [(Client, AsyncClient), (Task, AsyncTask), (Output, AsyncOutput)])
def test_both_clients_have_the_same_verbs_with_the_same_arguments(kind: type, twin: type) -> None:
    def verbs(of: type) -> dict[str, Any]:
        own = {name: value for name, value in vars(of).items() if inspect.isfunction(value) and name[0] != "_"}
        return {name: list(inspect.signature(value).parameters.values()) for name, value in own.items()}

    assert verbs(kind) == verbs(twin)


async def test_a_run_returns_what_the_task_made(site: Site, client: AsyncClient, tmp_path: Path) -> None:
    with agent(site):
        (output,) = await client.run(JOB, timeout=PATIENCE)

    assert await output.bytes() == await asyncio.to_thread((await output.save(tmp_path)).read_bytes)


async def test_a_task_is_followed_to_its_end(site: Site, client: AsyncClient) -> None:
    task = await client.submit(JOB)
    await asyncio.to_thread(site.api.runs, task.id)

    seen = []
    async for event in task.events(timeout=PATIENCE):
        seen.append(event.status)
        if event.status is Status.RUNNING:
            await asyncio.to_thread(site.api.ends, task.id, Ending(status=State.FAILED))

    assert seen == [Status.RUNNING, Status.FAILED]
    assert (await task.wait()).status is Status.FAILED
    with pytest.raises(TaskFailed):
        (await client.task(task.id)).checked()


async def test_a_wait_has_a_limit_and_can_be_dropped(client: AsyncClient) -> None:
    task = await client.submit(JOB)

    with pytest.raises(WaitTimeout):
        await task.wait(timeout=0.1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task.wait(), 0.1)

    assert (await task.cancel()).status is Status.CANCELED


async def test_tasks_are_listed(client: AsyncClient) -> None:
    label = uuid.uuid4().hex
    made = {(await client.submit(JOB, labels={"batch": label})).id for _ in range(3)}

    assert {task.id async for task in client.tasks(labels={"batch": label})} == made


async def test_files_and_runtimes(site: Site, client: AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"png")

    link = await client.upload(file)

    bucket, _, key = link.removeprefix("s3://").partition("/")
    assert site.api.door.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"png"
    assert "comfy" in [runtime.name for runtime in await client.runtimes()]


async def test_many_jobs_run_at_a_time_and_come_back_in_order(site: Site, client: AsyncClient) -> None:
    name = f"batch-{uuid.uuid4().hex[:8]}"

    with agent(site):
        tasks = [task async for task in client.map([JOB] * 12, concurrency=5, name=name, timeout=PATIENCE)]

    assert [task.id for task in tasks] == [f"{name}-{number:05}" for number in range(1, 13)]
    assert all(task.completed for task in tasks)


async def test_a_save_that_is_dropped_leaves_nothing(site: Site, client: AsyncClient, tmp_path: Path) -> None:
    task_id = (await client.submit(JOB)).id
    large = stored(site, task_id, b"x" * 20_000_000)
    site.api.ends(task_id, Ending(status=State.COMPLETED, outputs=[large]))
    (output,) = (await client.task(task_id)).outputs

    saving = asyncio.create_task(output.save(tmp_path))
    async with asyncio.timeout(PATIENCE):
        while not list(tmp_path.iterdir()):
            await asyncio.sleep(0)
    saving.cancel()
    await asyncio.gather(saving, return_exceptions=True)

    assert saving.cancelled()
    assert list(tmp_path.iterdir()) == []
