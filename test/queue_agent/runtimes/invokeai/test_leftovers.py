"""What a run without a result leaves on InvokeAI: no item that waits or runs, and no image."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web

from queue_agent.errors import Interrupted, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import RunMonitor
from queue_agent.runtimes.invokeai import Adapter
from queue_agent.runtimes.invokeai.api import Api
from test.support.invokeai import edge, graph_of, text_to_image
from test.support.runtimes import run_job
from utils.simulators.base import Options
from utils.simulators.invokeai import Disk, make_app

from .conftest import PATIENCE, Serve, Server, Simulate, eventually, job

QUEUE = "api/v1/queue/default"
ENDLESS = 1_000_000
"""Sampling steps that no test waits for."""


def _long() -> dict[str, Any]:
    """A graph that makes an image at once, and then goes on."""
    graph = text_to_image(steps=ENDLESS)
    nodes = {"first": {"id": "first", "type": "blank_image", "width": 8, "height": 8}, **graph["nodes"]}
    return {"nodes": nodes, "edges": graph["edges"]}


async def _start(adapter: Adapter, content: dict[str, Any]) -> asyncio.Task[Any]:
    """Run the content, and return once it runs."""
    monitor = RunMonitor()
    run = asyncio.create_task(adapter.run(await adapter.prepare(job(content)), monitor))
    await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
    return run


@asynccontextmanager
async def _at_work(
    simulate: Simulate, session: ClientSession, disk: Disk, *, runs: int = 1
) -> AsyncIterator[tuple[Server, Adapter, asyncio.Task[Any]]]:
    """A server, an adapter, and its run of a batch whose first item has made an image."""
    server = await simulate(disk=disk, seconds_per_step=0.01)
    async with Adapter(server.url, session) as adapter:
        run = await _start(adapter, {"batch": {"graph": _long(), "runs": runs}})
        await eventually(_has(disk, 1))
        yield server, adapter, run


async def _statuses(server: Server) -> list[str]:
    _, items = await server.ask("GET", f"{QUEUE}/list_all")
    return [item["status"] for item in items]


def _has(disk: Disk, number: int) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        return len(disk.gallery.names()) == number

    return has


async def test_the_images_of_an_interrupted_run_are_deleted(simulate: Simulate, session: ClientSession) -> None:
    # Given
    disk = Disk()
    async with _at_work(simulate, session, disk, runs=2) as (_, adapter, run):
        # When
        assert await adapter.interrupt()
        with pytest.raises(Interrupted):
            await asyncio.wait_for(run, PATIENCE)

        # Then
        await eventually(_has(disk, 0))


async def test_the_images_of_a_run_that_is_cancelled_after_its_interrupt_are_deleted(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    disk = Disk()
    async with _at_work(simulate, session, disk) as (_, adapter, run):
        # When
        interrupting = asyncio.create_task(adapter.interrupt())
        await asyncio.sleep(0)
        run.cancel()
        await interrupting
        await asyncio.wait([run])

        # Then
        await eventually(_has(disk, 0))


async def test_the_images_of_a_run_that_is_cancelled_while_it_cancels_its_batch_are_deleted(
    serve: Serve, session: ClientSession
) -> None:
    # Given
    disk, second, go_on, asked = Disk(), asyncio.Event(), asyncio.Event(), 0

    @web.middleware
    async def slow_from_the_second_on(request: web.Request, handler: Any) -> web.StreamResponse:
        nonlocal asked
        if request.method == "PUT":
            asked += 1
            if asked > 1:
                second.set()
                await go_on.wait()
        answered: web.StreamResponse = await handler(request)
        return answered

    app = make_app(Options(seconds_per_step=0.01), disk)
    app.middlewares.append(slow_from_the_second_on)
    async with Adapter((await serve(app)).url, session) as adapter:
        run = await _start(adapter, {"graph": _long()})
        await eventually(_has(disk, 1))

        # When
        interrupting = asyncio.create_task(adapter.interrupt())
        await asyncio.wait_for(second.wait(), PATIENCE)
        run.cancel()
        await asyncio.wait([run])
        go_on.set()
        assert await interrupting

        # Then
        await eventually(_has(disk, 0))


async def test_the_images_of_a_failed_run_are_deleted_and_nobody_elses(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    disk = Disk()
    server = await simulate(disk=disk)
    theirs = graph_of({"a": {"type": "blank_image", "width": 8, "height": 8}})
    await server.ask("POST", f"{QUEUE}/enqueue_batch", json={"batch": {"graph": theirs, "runs": 1}})
    await eventually(_has(disk, 1))
    kept = disk.gallery.names()
    graph = graph_of(
        {"wide": {"type": "blank_image", "width": 20_000, "height": 1}, "too_large": {"type": "img_scale"}},
        edge("wide.image", "too_large.image"),
        edge("wide.width", "too_large.scale_factor"),
    )

    # When
    async with Adapter(server.url, session) as adapter:
        with pytest.raises(RuntimeFault, match="node too_large"):
            await run_job(adapter, job({"graph": graph}))

        # Then
        await eventually(_has(disk, 1))
    assert disk.gallery.names() == kept


async def test_more_images_than_one_request_may_name_are_deleted(simulate: Simulate, session: ClientSession) -> None:
    # Given
    disk = Disk()
    server = await simulate(disk=disk)
    batch = {"graph": graph_of({"a": {"type": "blank_image", "width": 8, "height": 8}}), "runs": 250}
    result = await run_job(Adapter(server.url, session), job({"batch": batch}))
    assert len(disk.gallery.names()) == 250

    # When
    await result.discard()

    # Then
    assert disk.gallery.names() == []


async def test_a_batch_of_many_items_is_cancelled_as_a_whole(serve: Serve, session: ClientSession) -> None:
    # Given
    asked: list[str] = []

    @web.middleware
    async def counted(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "PUT":
            asked.append(request.path)
        answered: web.StreamResponse = await handler(request)
        return answered

    app = make_app(Options(seconds_per_step=0.01))
    app.middlewares.append(counted)
    server = await serve(app)
    adapter = Adapter(server.url, session)
    run = await _start(adapter, {"batch": {"graph": text_to_image(steps=ENDLESS), "runs": 300}})

    # When
    idle = await adapter.interrupt()

    # Then
    assert idle
    assert set(asked) == {f"/{QUEUE}/cancel_by_batch_ids"}
    assert len(asked) <= 5, "the interrupt, the run and the clearing each ask; no item is asked for"
    assert set(await _statuses(server)) == {"canceled"}
    with pytest.raises(Interrupted):
        await asyncio.wait_for(run, PATIENCE)


async def test_a_batch_that_could_not_be_cancelled_while_the_server_was_away_is_cancelled_when_it_is_back(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    disk = Disk()
    async with _at_work(simulate, session, disk, runs=4) as (server, _, run):
        await server.stop()
        with pytest.raises(RuntimeUnavailable):
            await asyncio.wait_for(run, PATIENCE)

        # When
        again = await simulate(port=server.url.port, disk=disk, seconds_per_step=0.01)

        # Then
        async def all_canceled() -> bool:
            return set(await _statuses(again)) == {"canceled"}

        await eventually(all_canceled)


async def test_closing_waits_for_no_server_that_stays_away(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    async with asyncio.timeout(PATIENCE), Adapter(server.url, session) as adapter:
        run = await _start(adapter, {"graph": _long()})

        # When
        await server.stop()
        with pytest.raises(RuntimeUnavailable):
            await run

    # Then: the adapter closed within the limit


async def test_images_of_other_sessions_are_not_deleted(simulate: Simulate, session: ClientSession) -> None:
    # Given
    disk = Disk()
    server = await simulate(disk=disk)
    graph = graph_of({"a": {"type": "blank_image", "width": 8, "height": 8}})
    await server.ask("POST", f"{QUEUE}/enqueue_batch", json={"batch": {"graph": graph, "runs": 1}})
    await eventually(_has(disk, 1))

    # When
    await Api(server.url, session).delete_of(disk.gallery.names(), {"another-session"})

    # Then
    assert len(disk.gallery.names()) == 1
