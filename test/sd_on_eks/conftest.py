"""The client against the real front door: HTTP, the local API Gateway, the handler, an embedded AWS."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sd_on_eks import AsyncClient, Client, Timings, text_to_image
from test.frontend_lambda.conftest import aws_endpoint, door, session, standing_door
from test.frontend_lambda.tasks.conftest import Api, api, dynamodb, standing_api
from utils.local.gateway import Gateway
from utils.local.lambda_proxy import LambdaContext
from utils.local.usage import ApiKey

__all__ = ["api", "aws_endpoint", "door", "dynamodb", "session", "standing_api", "standing_door"]

KEY = "a-local-key"

SHORT = Timings(first_pause=0.01, longest_pause=0.05, retry_for=20.0, poll=0.05)
"""As a test needs them; requests are held for as long as ever."""

PATIENCE = 60.0

JOB = text_to_image("a lighthouse", steps=2).having(runtime="sdruntime")


def new_id() -> str:
    return f"t-{uuid.uuid4()}"


class Door:
    """The handler, with faults that a test puts in front of it."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self.requests: list[tuple[str, str]] = []
        self.faults: list[dict[str, Any] | Exception] = []
        """What the next requests get, one each; what is raised is raised after the request took effect."""

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        self.requests.append((event["httpMethod"], event["path"]))
        if not self.faults:
            return self._handler(event, context)
        fault = self.faults.pop(0)
        if isinstance(fault, Exception):
            self._handler(event, context)
            raise fault
        return fault


@dataclass(frozen=True)
class Site:
    """A front door that is reached by HTTP. ``api`` looks behind it, and does what an agent would."""

    endpoint: str
    door: Door
    api: Api

    def client(self, timings: Timings = SHORT) -> Client:
        return Client(self.endpoint, KEY, timings=timings)

    def async_client(self, timings: Timings = SHORT) -> AsyncClient:
        return AsyncClient(self.endpoint, KEY, timings=timings)


class Loop:
    """An event loop in a thread, so that synchronous tests have a server."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, awaitable: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(PATIENCE)

    def close(self) -> None:
        self.call(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    @staticmethod
    async def _drop() -> None:
        """Requests that are still held belong to clients that are gone."""
        held = asyncio.all_tasks() - {asyncio.current_task()}
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.close()


@pytest.fixture
def site(api: Api, loop: Loop) -> Iterator[Site]:
    settings = api.door.topology.api
    routes = [(route.method, route.path) for route in settings.routes]
    behind = Door(api.door.handler)

    async def begin() -> Gateway:
        gateway = Gateway(behind, stage=settings.stage, routes=routes, keys=[ApiKey(value=KEY, rate=1000, burst=1000)])
        await gateway.start()
        return gateway

    gateway = loop.call(begin())
    yield Site(gateway.endpoint, behind, api)
    loop.call(gateway.stop())


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.client() as opened:
        yield opened
