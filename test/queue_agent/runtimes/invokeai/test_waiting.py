"""Whose turn it is: other clients' batches, batches of an earlier process, and when the task's time begins."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from queue_agent.errors import Interrupted, RuntimeBusy
from queue_agent.runtimes.base import File, Path, RunMonitor
from queue_agent.runtimes.invokeai import Adapter
from test.support.invokeai import graph_of, text_to_image
from test.support.runtimes import NotingMonitor, is_ready, run_job

from .conftest import PATIENCE, Server, Simulate, eventually, job, read
from .test_files import PATH, png_bytes, resized

QUEUE = "api/v1/queue/default"
ENDLESS = {"graph": text_to_image(steps=1_000_000)}
"""Sampling steps that no test waits for."""


async def _enqueue(server: Server, graph: dict[str, Any]) -> int:
    _, answer = await server.ask("POST", f"{QUEUE}/enqueue_batch", json={"batch": {"graph": graph, "runs": 1}})
    return int(answer["item_ids"][0])


async def _in_progress(server: Server) -> bool:
    _, status = await server.ask("GET", f"{QUEUE}/status")
    return bool(status["queue"]["in_progress"])


def _start(adapter: Adapter, content: dict[str, Any], monitor: RunMonitor) -> asyncio.Task[Any]:
    async def run() -> Any:
        return await adapter.run(await adapter.prepare(job(content)), monitor)

    return asyncio.create_task(run())


async def _left_by_an_earlier_process(server: Server, session: ClientSession, content: dict[str, Any]) -> str:
    """The id of a batch that runs on after its agent was killed."""
    monitor = RunMonitor()
    run = _start(Adapter(server.url, session), content, monitor)
    await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
    run.cancel()
    await asyncio.wait([run])
    assert monitor.job_ref is not None
    return monitor.job_ref


async def test_behind_somebody_elses_item_the_tasks_time_does_not_begin(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    theirs = await _enqueue(server, ENDLESS["graph"])
    await eventually(lambda: _in_progress(server))
    adapter, monitor = Adapter(server.url, session), NotingMonitor()
    with pytest.raises(RuntimeBusy, match=f"item {theirs} is in progress"):
        await adapter.check_ready()

    # When
    run = _start(adapter, {"graph": text_to_image()}, monitor)

    async def accepted() -> bool:
        return monitor.job_ref is not None

    await eventually(accepted)
    await eventually(monitor.waited)
    begun_early = monitor.begun.is_set()
    await server.ask("PUT", f"{QUEUE}/i/{theirs}/cancel")
    result = await asyncio.wait_for(run, PATIENCE)

    # Then
    assert not begun_early
    assert monitor.begun.is_set()
    assert monitor.seconds > 0
    assert len(result.outputs) == 1
    assert await is_ready(adapter)


async def test_a_batch_of_an_earlier_process_is_adopted_with_its_result(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    content = {"batch": {"graph": text_to_image(steps=40), "runs": 2}}
    job_ref = await _left_by_an_earlier_process(server, session, content)
    adapter, monitor = Adapter(server.url, session), RunMonitor()

    # When
    await adapter.check_ready()
    result = await adapter.adopt(await adapter.prepare(job(content)), job_ref, monitor)

    # Then
    assert result is not None
    assert len(result.outputs) == 2
    assert await read(result.outputs[0])
    assert monitor.begun.is_set()
    _, status = await server.ask("GET", f"{QUEUE}/status")
    assert status["queue"]["total"] == 2, "nothing ran twice"


async def test_an_adopted_batch_can_be_interrupted(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    job_ref = await _left_by_an_earlier_process(server, session, ENDLESS)
    adapter, monitor = Adapter(server.url, session), RunMonitor()
    adopted = asyncio.ensure_future(adapter.adopt(await adapter.prepare(job(ENDLESS)), job_ref, monitor))
    await asyncio.wait_for(monitor.begun.wait(), PATIENCE)

    # When
    idle = await adapter.interrupt()

    # Then
    assert idle
    with pytest.raises(Interrupted):
        await asyncio.wait_for(adopted, PATIENCE)


async def test_an_unknown_batch_is_not_adopted(simulate: Simulate, session: ClientSession) -> None:
    # Given
    adapter = Adapter((await simulate()).url, session)

    # When
    result = await adapter.adopt(await adapter.prepare(job(ENDLESS)), "queue-agent-nope", RunMonitor())

    # Then
    assert result is None


async def test_a_batch_of_an_earlier_process_that_nobody_adopts_is_cancelled_before_the_first_run(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    await _left_by_an_earlier_process(server, session, {"batch": {**ENDLESS, "runs": 2}})
    theirs = await _enqueue(server, graph_of({"a": {"type": "blank_image"}}))
    adapter = Adapter(server.url, session)
    await adapter.check_ready()

    # When
    result = await asyncio.wait_for(run_job(adapter, job({"graph": text_to_image()})), PATIENCE)

    # Then
    assert len(result.outputs) == 1
    _, item = await server.ask("GET", f"{QUEUE}/i/{theirs}")
    assert item["status"] == "completed", "what others queued is left alone"
    _, status = await server.ask("GET", f"{QUEUE}/status")
    assert status["queue"]["canceled"] == 2


async def test_fifty_tasks_and_killed_agents_leave_nothing(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate()
    content = {"graph": resized()}
    for number in range(50):
        adapter = Adapter(server.url, session)
        task = job(content, {PATH: File("in.png", "image/png", png_bytes(8 + number))})
        if number % 5:
            result = await run_job(adapter, task)
            await result.discard()
        else:  # a killed agent cleans nothing up
            await adapter._uploads.give(task.files)

    # When
    last = await run_job(Adapter(server.url, session), job(content, {PATH: File("in.png", "image/png", png_bytes())}))
    await last.discard()

    # Then
    _, boards = await server.ask("GET", "api/v1/boards/", params={"all": "true"})
    left = [await server.ask("GET", f"api/v1/boards/{board['board_id']}/image_names") for board in boards]
    assert not any(names for _, names in left)
    _, items = await server.ask("GET", f"{QUEUE}/list_all")
    names = {output["image"]["image_name"] for item in items for output in item["session"]["results"].values()}
    assert names
    statuses = {(await server.ask("GET", f"api/v1/images/i/{name}"))[0] for name in names}
    assert statuses == {404}


async def test_equal_files_are_uploaded_once(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate()
    graph = graph_of(
        {str(number): {"type": "image", "image": {"image_name": "https://example.com/a.png"}} for number in range(8)}
    )
    files: dict[Path, File] = {
        ("graph", "nodes", str(number), "image", "image_name"): File("a.png", "image/png", png_bytes())
        for number in range(8)
    }

    # When
    await run_job(Adapter(server.url, session), job({"graph": graph}, files))

    # Then
    _, items = await server.ask("GET", f"{QUEUE}/list_all")
    nodes = items[0]["session"]["graph"]["nodes"].values()
    assert len({node["image"]["image_name"] for node in nodes}) == 1
