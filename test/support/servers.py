"""Servers for a test, each on a free port of the loopback interface."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

Serve: TypeAlias = Callable[[web.Application], Awaitable[URL]]


@asynccontextmanager
async def serving() -> AsyncIterator[Serve]:
    """Gives a function that serves an application and returns its address; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def serve(app: web.Application) -> URL:
            server = TestServer(app)
            await server.start_server()
            stack.push_async_callback(server.close)
            return URL(f"http://127.0.0.1:{server.port}")

        yield serve
