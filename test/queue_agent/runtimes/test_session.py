"""The session with the runtime, against a server that closes idle connections."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer

from queue_agent.runtimes.session import KEPT_SECONDS, runtime_session


async def test_a_connection_is_used_again_at_once_and_not_when_the_server_may_close_it() -> None:
    # Given
    ports: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", answer)

    # When
    async with TestServer(app) as server, runtime_session() as session:
        for pause in (0.0, 0.0, KEPT_SECONDS * 2.5):
            await asyncio.sleep(pause)
            async with session.post(server.make_url("/")) as response:
                await response.read()

    # Then
    first, second, late = ports
    assert first == second
    assert late != first
