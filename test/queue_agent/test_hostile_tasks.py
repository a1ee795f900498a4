"""Tasks that are to stall the agent, or that a caller put into the queue past the front door."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from contract.links import MAX_LINKS
from queue_agent.inputs.fetcher import Limits
from test.support.agents import QUICK, assembled, at_work, callbacks_of
from test.support.web import a_site
from test.support.world import ScriptedRuntime, World, until

pytestmark = pytest.mark.usefixtures("short_polls")

LINK_TIMEOUT = 120.0
"""Seconds; longer than anything here takes, so that nothing passes because the links were given up."""


def local_links(timeout: float) -> Limits:
    """Links may reach this machine."""
    return Limits(max_bytes=1000, timeout=timeout, names=frozenset({"127.0.0.1"}), allow_loopback=True)


async def test_64_slow_links_delay_no_other_task(world: World) -> None:
    # Given a server that sends nothing for now, a task with as many links to it as are allowed, and others behind it
    arrives = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await arrives.wait()
        return web.Response(body=b"data")

    runtime = ScriptedRuntime()
    async with a_site() as site:
        links = [site.at(f"/{number}", slow) for number in range(MAX_LINKS)]
        timings = replace(QUICK, slow_preparation=0.2)
        async with (
            assembled(world, runtime, limits=local_links(LINK_TIMEOUT), timings=timings) as parts,
            at_work(parts),
        ):
            await world.ask("slow", content={"init_images": links})
            await until(lambda: site.requests)
            names = [f"fast-{number}" for number in range(5)]
            for name in names:
                await world.ask(name)
            # When they are done, then nothing of the slow one has come
            callbacks = await until(lambda: callbacks_of(world, len(names)))
            assert {callback["id"] for callback in callbacks} == set(names)
            assert not arrives.is_set()
            # And that is run once its links are there
            arrives.set()
            callbacks = await until(lambda: callbacks_of(world, len(names) + 1))
    assert [callback["status"] for callback in callbacks] == ["completed"] * 6
    assert len(runtime.jobs[-1].files) == MAX_LINKS


async def test_65_links_in_the_queue_fail_without_a_request(world: World) -> None:
    # Given
    async with a_site() as site:
        links = [site.serve(f"/{number}", b"data") for number in range(MAX_LINKS + 1)]
        runtime = ScriptedRuntime()
        async with assembled(world, runtime, limits=local_links(10)) as parts, at_work(parts):
            await world.ask(content={"init_images": links})
            # When
            (callback,) = await until(lambda: callbacks_of(world, 1))
        # Then
        assert site.requests == []
    assert (callback["result"], callback["error"]["type"]) == (False, "policy")
    assert "must hold at most 64 links (taskPolicy.maxLinks)" in callback["error"]["message"]
    assert runtime.jobs == []
