"""A simulated InvokeAI behind a real socket, and how to talk to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest
from aiohttp.test_utils import TestClient, TestServer

from utils.simulators.base import Options
from utils.simulators.invokeai import make_app

PATIENCE = 30.0
"""Seconds until a condition that must come is taken as not coming; generous, for a busy machine."""

QUEUE = "/api/v1/queue/default"

Client: TypeAlias = TestClient[Any, Any]
Start: TypeAlias = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a simulated InvokeAI with the given options."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Client:
            app = make_app(Options(**{"seconds_per_step": 0.0, **options}))
            return await stack.enter_async_context(TestClient(TestServer(app)))

        yield start


async def enqueue(client: Client, graph: dict[str, Any], **batch: Any) -> dict[str, Any]:
    """The answer of /enqueue_batch."""
    body = {"batch": {"graph": graph, "runs": 1, **batch}, "prepend": False}
    async with client.post(f"{QUEUE}/enqueue_batch", json=body) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def item(client: Client, item_id: int) -> dict[str, Any]:
    """The queue item as the API shows it."""
    async with client.get(f"{QUEUE}/i/{item_id}") as response:
        found: dict[str, Any] = await response.json()
        return found


async def item_when(client: Client, item_id: int, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The queue item, as soon as the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds(found := await item(client, item_id)):  # noqa: ASYNC110 - what changes lies behind HTTP
            await asyncio.sleep(0.01)
    return found


async def ended(client: Client, item_id: int) -> dict[str, Any]:
    """The queue item, as soon as it ended."""
    return await item_when(client, item_id, lambda found: found["status"] in ("completed", "failed", "canceled"))


def made_by(found: dict[str, Any], node: str) -> list[str]:
    """Names of the images that a node of the graph made."""
    session = found["session"]
    return [session["results"][copy]["image"]["image_name"] for copy in session["source_prepared_mapping"][node]]
