"""A local API Gateway with a client of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
from yarl import URL

from utils.local.gateway import Gateway

KEY = "a-local-key"
LIMIT = 30.0

Start: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def message(self) -> str:
        """Of an error, which is always JSON."""
        assert self.headers["Content-Type"].startswith("application/json")
        body = json.loads(self.text)
        assert set(body) == {"message", "errors"}
        return str(body["message"])


@dataclass(frozen=True)
class Api:
    """A running gateway, and a client of it."""

    gateway: Gateway
    client: aiohttp.ClientSession

    @property
    def port(self) -> int:
        port = URL(self.gateway.endpoint).port
        assert port
        return port

    async def send(
        self, path: str = "v1alpha2", body: Any = b"{}", *, method: str = "POST", key: str | None = KEY, **headers: str
    ) -> Answer:
        keyed = {"x-api-key": key, **headers} if key is not None else headers
        url = self.gateway.endpoint + path
        async with self.client.request(method, url, data=body, headers=keyed) as response:
            return Answer(response.status, response.headers, await response.text())


def answering_what_it_was_called_with(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A handler that answers with what it was called with."""
    facts = {"event": event, "request": context.aws_request_id, "left": context.get_remaining_time_in_millis()}
    return {"statusCode": 200, "body": json.dumps(facts)}


def raising(event: dict[str, Any], context: Any) -> Any:
    raise RuntimeError("a very private reason")
