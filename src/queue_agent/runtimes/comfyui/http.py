"""Calls of ComfyUI's HTTP API: every call has a time limit, every answer a size limit, and every failure is a fault."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from contract.errors import shown
from queue_agent.errors import RuntimeFault
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, AnswerTooLarge, read_body
from queue_agent.runtimes.http import exchange

ANSWER_SECONDS = 10.0
"""For questions: ComfyUI answers them in milliseconds, unless it loads a model and holds its interpreter."""

SILENCE_SECONDS = 30.0
"""A file that is being fetched may pause this long."""

TOO_LARGE = "answer-too-large"
"""The type of the fault when an answer has more bytes than the agent reads."""

LOGIN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Http:
    """One ComfyUI. Every call raises RuntimeUnavailable when it is not there and RuntimeFault when it answers nothing
    useful in time."""

    def __init__(self, url: URL, session: ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(
        self, path: str, seconds: float = ANSWER_SECONDS, *, max_bytes: int = MAX_ANSWER_BYTES
    ) -> dict[str, Any]:
        """The JSON object of a GET that must succeed."""
        async with self.call("GET", path, seconds) as response:
            check_status(response, HTTPStatus.OK)
            return await read_object(response, max_bytes)

    async def post(self, path: str, body: Mapping[str, Any]) -> None:
        """A POST that must succeed and whose answer says nothing."""
        async with self.call("POST", path, ANSWER_SECONDS, json=body) as response:
            check_status(response, HTTPStatus.OK)

    @asynccontextmanager
    async def call(self, method: str, path: str, seconds: float | None, **more: Any) -> AsyncIterator[ClientResponse]:
        """``seconds`` limits the whole exchange; None only each wait for more of the answer (SILENCE_SECONDS)."""
        async with exchange(
            self._session,
            method,
            self._url,
            path,
            runtime="ComfyUI",
            total=seconds,
            silence=seconds or SILENCE_SECONDS,
            **more,
        ) as response:
            yield response


def check_status(response: ClientResponse, *expected: HTTPStatus) -> None:
    """Raise RuntimeFault for an unexpected status."""
    if response.status in expected:
        return
    asked = f"{response.method} {response.url.path}"
    if response.status in LOGIN:
        raise RuntimeFault(
            "login-wanted",
            f"ComfyUI, or a proxy before it, wants a login: it answered {response.status} to {asked}; put "
            "user:password@ before the host of the runtime's address",
        )
    raise RuntimeFault("runtime-error", f"ComfyUI answered {response.status} to {asked}")


async def read_object(response: ClientResponse, max_bytes: int = MAX_ANSWER_BYTES) -> dict[str, Any]:
    """The response's JSON object. Raises RuntimeFault for anything else."""
    value = await read_json(response, max_bytes)
    if not isinstance(value, dict):
        raise RuntimeFault("bad-answer", f"ComfyUI's answer to {response.url.path} is no JSON object: {shown(value)}")
    return value


async def read_json(response: ClientResponse, max_bytes: int = MAX_ANSWER_BYTES) -> Any:
    """The response's JSON. Raises RuntimeFault when it is none, or too large."""
    try:
        return json.loads(await read_body(response, max_bytes))
    except AnswerTooLarge as error:
        raise RuntimeFault(TOO_LARGE, f"ComfyUI was asked for {response.url.path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise RuntimeFault("bad-answer", f"ComfyUI's answer to {response.url.path} is not JSON") from error
