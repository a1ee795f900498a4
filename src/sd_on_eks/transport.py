"""Carries out the steps of flows with httpx: one class for threads, one for asyncio."""

import asyncio
import time
from typing import Any, BinaryIO, TypeVar

import httpx

from sd_on_eks.timings import Timings
from sd_on_eks.wire import Flow, Lost, Pause, Request, Response, Step, Work

T = TypeVar("T")

CONNECTIONS = httpx.Limits(max_connections=256, max_keepalive_connections=32)
"""Each task that is waited for has a connection."""


class Transport:
    """Safe to use from many threads. ``carrier`` is httpx's own transport, for tests and unusual networks."""

    def __init__(self, timings: Timings, carrier: httpx.BaseTransport | None = None) -> None:
        self._timings = timings
        self._http = httpx.Client(limits=CONNECTIONS, transport=carrier)

    def run(self, flow: Flow[T]) -> T:
        """The result of ``flow``, whose steps are carried out one after the other."""
        answer: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except Exception as error:  # noqa: BLE001 - the flow decides
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    def close(self) -> None:
        self._http.close()

    def _do(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        return step.call() if isinstance(step, Work) else self._send(step)

    def _send(self, request: Request) -> Response | Lost:
        try:
            with self._http.stream(**_arguments(request, self._timings)) as answer:
                if request.sink is None or answer.status_code != httpx.codes.OK:
                    return _response(answer, answer.read())
                empty(request.sink)
                for chunk in answer.iter_bytes():
                    request.sink.write(chunk)
                return _response(answer, b"")
        except httpx.HTTPError as error:
            return Lost(error)


class AsyncTransport:
    """The same on an event loop."""

    def __init__(self, timings: Timings, carrier: httpx.AsyncBaseTransport | None = None) -> None:
        self._timings = timings
        self._http = httpx.AsyncClient(limits=CONNECTIONS, transport=carrier)

    async def run(self, flow: Flow[T]) -> T:
        """The result of ``flow``, whose steps are carried out one after the other."""
        answer: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except Exception as error:  # noqa: BLE001 - the flow decides
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def _do(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        return await asyncio.to_thread(step.call) if isinstance(step, Work) else await self._send(step)

    async def _send(self, request: Request) -> Response | Lost:
        try:
            async with self._http.stream(**_arguments(request, self._timings)) as answer:
                if request.sink is None or answer.status_code != httpx.codes.OK:
                    return _response(answer, await answer.aread())
                empty(request.sink)
                async for chunk in answer.aiter_bytes():
                    await asyncio.to_thread(request.sink.write, chunk)
                return _response(answer, b"")
        except httpx.HTTPError as error:
            return Lost(error)


def empty(sink: BinaryIO) -> None:
    """Drop what an earlier try wrote."""
    sink.seek(0)
    sink.truncate()


def _arguments(request: Request, timings: Timings) -> dict[str, Any]:
    timeout = httpx.Timeout(request.seconds, connect=timings.connect, pool=timings.connect)
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": timeout,
    }


def _response(answer: httpx.Response, body: bytes) -> Response:
    return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)
