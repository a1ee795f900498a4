"""The probes, over HTTP."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from queue_agent.lifecycle.health import serve_health
from queue_agent.telemetry.metrics import Metrics

LOOPBACK = "127.0.0.1"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


async def asked(session: aiohttp.ClientSession, port: int, path: str) -> tuple[int, dict[str, str]]:
    async with session.get(f"http://{LOOPBACK}:{port}{path}") as answer:
        return answer.status, await answer.json()


async def test_it_is_alive_while_the_loop_turns_and_ready_only_while_it_would_take_tasks(
    session: aiohttp.ClientSession,
) -> None:
    # Given
    ready = False
    async with serve_health(LOOPBACK, 0, ready=lambda: ready, metrics=Metrics("r")) as port:
        # Then
        assert await asked(session, port, "/healthz") == (200, {"status": "ok"})
        assert await asked(session, port, "/readyz") == (503, {"status": "not ready"})

        # When
        ready = True

        # Then
        assert await asked(session, port, "/readyz") == (200, {"status": "ready"})
        assert await asked(session, port, "/healthz") == (200, {"status": "ok"})

        # When
        ready = False

        # Then
        assert (await asked(session, port, "/readyz"))[0] == 503


async def test_there_is_nothing_else_to_see(session: aiohttp.ClientSession) -> None:
    async with serve_health(LOOPBACK, 0, ready=lambda: True, metrics=Metrics("r")) as port:
        async with session.get(f"http://{LOOPBACK}:{port}/anything") as answer:
            assert answer.status == 404
        async with session.post(f"http://{LOOPBACK}:{port}/healthz") as answer:
            assert answer.status == 405


async def test_the_port_is_free_again_afterwards(session: aiohttp.ClientSession) -> None:
    # Given
    async with serve_health(LOOPBACK, 0, ready=lambda: True, metrics=Metrics("r")) as port:
        assert (await asked(session, port, "/healthz"))[0] == 200

    # Then
    with pytest.raises(aiohttp.ClientConnectorError):
        await asked(session, port, "/healthz")


async def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        with pytest.raises(OSError, match="address already in use"):
            async with serve_health(LOOPBACK, other.getsockname()[1], ready=lambda: True, metrics=Metrics("r")):
                pass
