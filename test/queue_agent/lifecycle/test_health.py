"""The probes, over HTTP."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from contract.callback import Cause
from queue_agent.errors import RuntimeHung
from queue_agent.lifecycle.health import Health, serve_health
from test.support.health import a_health
from test.support.world import ScriptedRuntime

LOOPBACK = "127.0.0.1"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture
async def health() -> Health:
    return a_health(ScriptedRuntime())


async def asked(session: aiohttp.ClientSession, port: int, path: str) -> tuple[int, dict[str, Any]]:
    async with session.get(f"http://{LOOPBACK}:{port}{path}") as answer:
        return answer.status, await answer.json()


async def test_it_is_alive_while_the_loop_turns_and_ready_only_while_it_would_take_tasks(
    session: aiohttp.ClientSession, health: Health
) -> None:
    async with serve_health(LOOPBACK, 0, health) as port:
        # Given a runtime that nobody has asked yet
        status, body = await asked(session, port, "/readyz")
        assert (status, body["status"], body["runtime"]["phase"]) == (503, "not ready", "away")
        assert await asked(session, port, "/healthz") == (200, {"status": "ok"})

        # When it is ready
        await health.readiness.check()
        assert (await asked(session, port, "/readyz"))[0] == 200

        # When it is not any more, then the reason is named
        health.state.away(Cause(type="login", message="wants a login"))
        status, body = await asked(session, port, "/readyz")
        assert (status, body["runtime"]["reason"]) == (503, {"type": "login", "message": "wants a login"})
        assert await asked(session, port, "/health") == (200, body)


async def test_an_agent_that_cannot_deliver_is_not_ready(session: aiohttp.ClientSession, health: Health) -> None:
    await health.readiness.check()
    health.delivery.suspend("store", Cause(type="aws-denied", message="PutObject is denied"))
    async with serve_health(LOOPBACK, 0, health) as port:
        status, body = await asked(session, port, "/readyz")
    assert status == 503
    assert body["delivery"] == {"ok": False, "reason": {"type": "aws-denied", "message": "PutObject is denied"}}


async def test_a_runtime_that_needs_a_restart_fails_its_own_probe_only(
    session: aiohttp.ClientSession, health: Health
) -> None:
    async with serve_health(LOOPBACK, 0, health) as port:
        assert (await asked(session, port, "/runtime"))[0] == 200
        health.readiness.failed("m1", RuntimeHung(5))
        assert (await asked(session, port, "/runtime"))[0] == 503
        assert (await asked(session, port, "/healthz"))[0] == 200


async def test_there_is_nothing_else_to_see(session: aiohttp.ClientSession, health: Health) -> None:
    async with serve_health(LOOPBACK, 0, health) as port:
        async with session.get(f"http://{LOOPBACK}:{port}/anything") as answer:
            assert answer.status == 404
        async with session.post(f"http://{LOOPBACK}:{port}/healthz") as answer:
            assert answer.status == 405


async def test_the_port_is_free_again_afterwards(session: aiohttp.ClientSession, health: Health) -> None:
    # Given
    async with serve_health(LOOPBACK, 0, health) as port:
        assert (await asked(session, port, "/healthz"))[0] == 200

    # Then
    with pytest.raises(aiohttp.ClientConnectorError):
        await asked(session, port, "/healthz")


async def test_a_port_that_is_taken_is_an_error_at_once(health: Health) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        with pytest.raises(OSError, match="address already in use"):
            async with serve_health(LOOPBACK, other.getsockname()[1], health):
                pass
