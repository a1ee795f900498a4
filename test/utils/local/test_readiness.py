"""Why a runtime is not ready, on the terminal that runs the platform."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from test.support.world import running, until
from utils.local import readiness
from utils.local.readiness import ReadinessWatch


class Agent:
    """An agent's probe, with the answer that the test gives."""

    def __init__(self) -> None:
        self.reason: dict[str, str] | None = {"type": "starting", "message": "not asked yet"}
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        body: dict[str, Any] = {"runtime": {"reason": self.reason}, "delivery": {"reason": None}}
        return web.json_response(body, status=503 if self.reason else 200)


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    one = Agent()
    app = web.Application()
    app.router.add_get("/readyz", one.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/readyz"
    yield one
    await runner.cleanup()


async def test_a_reason_that_lasts_is_shown_once_and_so_is_its_end(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(readiness, "GRACE_SECONDS", 0.2)
    shown: list[str] = []
    watch = ReadinessWatch({"agent-flow-1": agent.url}, shown.append)
    async with running(watch.watch()):
        # Given an agent that has not asked yet, and then a runtime that wants a login
        await asyncio.sleep(0.1)
        assert watch.reason("agent-flow-1") is None
        agent.reason = {"type": "login", "message": "it wants a login"}
        await until(lambda: shown)
        await asyncio.sleep(0.1)
        assert shown == ["the runtime of agent-flow-1 is not ready: it wants a login"]
        assert watch.reason("agent-flow-1") == "it wants a login"
        # When it is ready
        agent.reason = None
        await until(lambda: len(shown) == 2)
    assert shown[1] == "the runtime of agent-flow-1 is ready"
    assert watch.reason("agent-flow-1") is None
