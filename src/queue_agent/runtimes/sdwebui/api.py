"""Calls below ``/sdapi/v1``: every failure becomes a fault, and nothing is sent twice."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import ClientSession
from yarl import URL

from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, MAX_IMAGES_ANSWER_BYTES, AnswerTooLarge, read_body
from queue_agent.runtimes.http import exchange
from queue_agent.runtimes.sdwebui.faults import fault_of
from queue_agent.runtimes.sdwebui.payload import Payload

LESS = "ask for fewer or smaller images, and for no grid"

ANSWER_SECONDS = 8.0
"""For questions; a busy WebUI was seen to answer them within 35 ms, but listing models on S3 takes seconds."""


class Api:
    """The runtime's routes, named by the part behind ``/sdapi/v1/``."""

    def __init__(self, url: URL, session: ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(self, route: str, **query: str) -> Any:
        """What the route answers. Raises RuntimeUnavailable or RuntimeFault when it does not in time."""
        return await self._call("GET", route, query=query, seconds=ANSWER_SECONDS)

    async def post(
        self, route: str, body: Mapping[str, Any] | Payload, *, seconds: float | None = ANSWER_SECONDS
    ) -> Any:
        """Send the body as JSON; ``seconds`` None, for what generates images, waits as long
        as it takes.

        Raises the fault that the answer means.
        """
        payload = body if isinstance(body, Payload) else Payload((orjson.dumps(body),))
        return await self._call("POST", route, payload=payload, seconds=seconds)

    async def state(self) -> dict[str, Any]:
        """``state`` of /progress, with ``progress`` (0..1) added: job_count is 0 when nothing runs."""
        answer = await self.get("progress", skip_current_image="true")
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(state, dict):
            raise RuntimeFault("bad-answer", "SD WebUI's /progress reports no state")
        return {**state, "progress": answer.get("progress")}

    async def _call(
        self,
        method: str,
        route: str,
        *,
        seconds: float | None,
        payload: Payload | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        headers: dict[str, str] | None = None
        data: bytes | AsyncIterator[bytes] | None = None
        if payload is not None:
            headers = {"Content-Type": "application/json", "Content-Length": str(payload.size)}
            data = payload.data
        generates = seconds is None
        try:
            async with exchange(
                self._session,
                method,
                self._url,
                f"sdapi/v1/{route}",
                runtime="SD WebUI",
                total=seconds,
                silence=None,
                data=data,
                params=query,
                headers=headers,
            ) as response:
                body = await read_body(response, MAX_IMAGES_ANSWER_BYTES if generates else MAX_ANSWER_BYTES)
        except AnswerTooLarge as error:
            said = f"SD WebUI was asked for {route}: {error}"
            raise (
                PermanentError("output-limit", f"{said}; {LESS}") if generates else RuntimeFault("bad-answer", said)
            ) from error
        if response.status != HTTPStatus.OK:
            raise fault_of(response.status, body, route)
        try:
            return orjson.loads(body)
        except ValueError as error:
            raise RuntimeFault("bad-answer", f"SD WebUI's answer to {route} is not JSON") from error
