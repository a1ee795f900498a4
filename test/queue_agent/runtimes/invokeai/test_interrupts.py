"""Stopping, restarts, and the queue's other users."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web

from queue_agent.errors import Interrupted, PermanentError, RuntimeUnavailable
from queue_agent.runtimes.base import File
from queue_agent.runtimes.invokeai import Adapter
from test.support.invokeai import graph_of, text_to_image
from test.support.runtimes import is_ready, run_job

from .conftest import PATIENCE, Serve, Server, Simulate, eventually, job

QUEUE = "api/v1/queue/default"
ENDLESS = 1_000_000
"""Sampling steps that no test waits for."""


async def queue_status(server: Server) -> dict[str, Any]:
    _, status = await server.ask("GET", f"{QUEUE}/status")
    found: dict[str, Any] = status
    return found


async def start(server: Server, adapter: Adapter, content: dict[str, Any]) -> asyncio.Task[Any]:
    """Run the content, and return when it runs."""
    run = asyncio.create_task(run_job(adapter, job(content)))

    async def in_progress() -> bool:
        assert not run.done(), run
        return bool((await queue_status(server))["processor"]["is_processing"])

    await eventually(in_progress)
    return run


async def test_an_interrupt_cancels_all_our_items_and_none_of_others(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    adapter = Adapter(server.url, session)
    run = await start(server, adapter, {"batch": {"graph": text_to_image(steps=ENDLESS), "runs": 3}})
    other = {"batch": {"graph": graph_of({"a": {"type": "blank_image"}}), "runs": 1}}
    _, enqueued = await server.ask("POST", f"{QUEUE}/enqueue_batch", json=other)

    # When
    idle = await adapter.interrupt()

    # Then
    assert idle
    with pytest.raises(Interrupted):
        await asyncio.wait_for(run, PATIENCE)

    async def completed() -> bool:
        _, item = await server.ask("GET", f"{QUEUE}/i/{enqueued['item_ids'][0]}")
        return bool(item["status"] == "completed")

    await eventually(completed)
    assert (await queue_status(server))["queue"]["canceled"] == 3


async def test_an_interrupt_waits_until_the_canceled_node_has_ended(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate(seconds_per_step=1.0)
    adapter = Adapter(server.url, session)
    run = await start(server, adapter, {"graph": graph_of({"a": {"type": "blank_image"}})})

    # When
    idle = await adapter.interrupt()

    # Then
    assert idle
    assert not (await queue_status(server))["processor"]["is_processing"]
    with pytest.raises(Interrupted):
        await asyncio.wait_for(run, PATIENCE)


async def test_a_batch_that_someone_else_canceled_is_gone_and_its_other_items_are_too(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    run = await start(
        server, Adapter(server.url, session), {"batch": {"graph": text_to_image(steps=ENDLESS), "runs": 2}}
    )

    # When
    await server.ask("PUT", f"{QUEUE}/i/1/cancel")

    # Then
    with pytest.raises(RuntimeUnavailable, match="dropped the graph"):
        await asyncio.wait_for(run, PATIENCE)
    _, second = await server.ask("GET", f"{QUEUE}/i/2")
    assert second["status"] == "canceled"


async def test_a_run_that_was_cancelled_is_out_of_the_way_of_the_next(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    adapter = Adapter(server.url, session)
    run = await start(server, adapter, {"batch": {"graph": text_to_image(steps=ENDLESS), "runs": 2}})
    run.cancel()
    await asyncio.wait([run])

    # When
    result = await asyncio.wait_for(run_job(adapter, job({"graph": text_to_image()})), PATIENCE)

    # Then
    assert len(result.outputs) == 1
    assert (await queue_status(server))["queue"]["canceled"] == 2


async def test_a_failed_item_stops_the_rest_of_its_batch(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    data = [[{"node_path": "denoise", "field_name": "steps", "items": [1, ENDLESS]}]]
    graph = text_to_image()
    graph["nodes"]["lost"] = {"id": "lost", "type": "image", "image": {"image_name": "nope.png"}}

    # When
    with pytest.raises(PermanentError, match="node lost"):
        await asyncio.wait_for(
            run_job(Adapter(server.url, session), job({"batch": {"graph": graph, "data": data}})), PATIENCE
        )

    # Then
    _, second = await server.ask("GET", f"{QUEUE}/i/2")
    assert second["status"] in ("failed", "canceled")


async def test_a_runtime_that_came_back_without_our_batch_is_gone(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    adapter = Adapter(server.url, session)
    run = await start(server, adapter, {"graph": text_to_image(steps=ENDLESS)})

    # When
    await server.stop()
    with pytest.raises(RuntimeUnavailable):
        await asyncio.wait_for(run, PATIENCE)
    again = await simulate(port=server.url.port, seconds_per_step=0.01)

    # Then
    assert await is_ready(adapter)
    assert await adapter.interrupt(), "there is nothing left to stop"
    assert len((await run_job(adapter, job({"graph": text_to_image()}))).outputs) == 1
    assert (await queue_status(again))["queue"]["total"] == 1


async def test_a_restart_between_two_looks_at_the_batch_is_seen(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate(seconds_per_step=0.01)
    run = await start(server, Adapter(server.url, session), {"graph": text_to_image(steps=ENDLESS)})

    # When
    await server.stop()
    await simulate(port=server.url.port)

    # Then
    with pytest.raises(RuntimeUnavailable):
        await asyncio.wait_for(run, PATIENCE)


async def test_a_job_that_is_interrupted_while_its_files_are_uploaded_is_not_started(
    serve: Serve, session: ClientSession
) -> None:
    # Given
    begun, go_on, asked = asyncio.Event(), asyncio.Event(), []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.endswith("/upload"):
            begun.set()
            await go_on.wait()
            return web.json_response({"image_name": "in.png"}, status=201)
        return web.json_response(
            {"canceled": 0, "queue": {"batch_id": None}, "processor": {"is_started": True, "is_processing": False}}
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    adapter = Adapter((await serve(app)).url, session)
    graph = graph_of({"load": {"type": "image", "image": {"image_name": "https://example.com/in.png"}}})
    file = File("in.png", "image/png", b"data")
    path = ("graph", "nodes", "load", "image", "image_name")
    run = asyncio.create_task(run_job(adapter, job({"graph": graph}, {path: file})))
    await asyncio.wait_for(begun.wait(), PATIENCE)

    # When
    idle = await adapter.interrupt()
    go_on.set()

    # Then
    assert idle
    with pytest.raises(Interrupted):
        await asyncio.wait_for(run, PATIENCE)
    assert f"/{QUEUE}/enqueue_batch" not in asked


async def test_a_paused_processor_is_not_ready(simulate: Simulate, session: ClientSession, replay: Any) -> None:
    # Given
    server = await simulate()
    status = await queue_status(server)
    paused = {**status, "processor": {"is_started": False, "is_processing": False}}

    # When
    ready = await is_ready(await replay({"GET /api/v1/queue/default/status": (200, paused)}))

    # Then
    assert not ready
    assert await is_ready(Adapter(server.url, session))


@pytest.mark.parametrize("body", [{}, {"processor": "odd"}, ["odd"]])
async def test_another_server_at_the_address_is_not_ready(body: Any, replay: Any) -> None:
    # When
    adapter = await replay({"GET /api/v1/queue/default/status": (200, body)})

    # Then
    assert not await is_ready(adapter)
