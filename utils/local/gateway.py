"""The front door's API Gateway on this machine: HTTP in, the real Lambda handler behind it.

It does what a REST API with the stack's settings does: paths below a stage, API keys with a throttle and a quota each,
or signatures of IAM, the size limits of API Gateway and of Lambda, the time limit of an integration, JSON for every
error. One thing differs: other paths and methods are 404 and 405, where AWS answers 403 "Missing Authentication Token".
"""

import asyncio
import json
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeAlias

from aiohttp import web
from multidict import CIMultiDict

from utils.local.gateway_admission import MAX_BODY_BYTES, Admission, Refused, body_of, too_large
from utils.local.gateway_routes import Resource, Resources
from utils.local.lambda_proxy import Caller, LambdaContext, ProxyResponse, proxy_event
from utils.local.ports import address, listen
from utils.local.signature import Signatures
from utils.local.usage import ApiKey

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Of Lambda's synchronous invocation, the whole event as JSON."""

INTEGRATION_SECONDS = 29.0
"""How long API Gateway waits for a function, unless AWS was asked for more."""

STOP_SECONDS = 5.0

CONCURRENCY = 256
"""Calls of the handler at once; further ones wait. Most of them wait for a task (``Prefer: wait``) and must hold
up nobody; a thread that waits costs next to nothing. In AWS each has a function of its own."""

LOGGER = logging.getLogger("gateway")

Handler: TypeAlias = Callable[[dict[str, Any], LambdaContext], Any]


class FunctionFailed(Exception):
    """The function raised, or returned what is no answer."""


class Gateway:
    """One REST API. Serves between ``start`` and ``stop``, or inside ``async with``.

    ``routes`` are pairs of a method and a resource, such as ``/v1alpha2/tasks/{id}``; ``keyless`` are the resources
    that need no key. ``listening`` is a listening socket of the caller; without one it listens on any free port.
    ``handler`` is called in threads, several at once, with a proxy event and a context; ``functions`` answer other
    resources in the same way, by the resource.

    Requests need one of ``keys``; or a signature that ``signatures`` takes, or with ``open_to_all`` nothing, and then
    all of them together have what the only key allows.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        stage: str,
        routes: Sequence[tuple[str, str]],
        keys: Iterable[ApiKey],
        keyless: Sequence[str] = (),
        signatures: Signatures | None = None,
        open_to_all: bool = False,
        functions: Mapping[str, Handler] | None = None,
        listening: socket.socket | None = None,
        integration_seconds: float = INTEGRATION_SECONDS,
    ) -> None:
        self._handler = handler
        self._stage = stage
        self._resources = Resources(routes)
        self._keyless = frozenset(keyless)
        self._admission = Admission(keys, signatures, open_to_all=open_to_all)
        self._functions = functions or {}
        self._socket = listening or listen()
        self.endpoint = f"{address(self._socket)}/{stage}/"
        """``http://127.0.0.1:{port}/{stage}/``; a path such as ``v1alpha2`` comes behind it."""
        self._integration_seconds = integration_seconds
        self._runner: web.AppRunner | None = None
        self._threads = ThreadPoolExecutor(CONCURRENCY, "gateway")

    async def start(self) -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._serve])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def stop(self) -> None:
        """Answer what is under way, for a few seconds at most, and close. A handler that hangs is left to itself."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._socket.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @web.middleware
    async def _serve(self, request: web.Request, handler: Any) -> web.Response:  # noqa: ARG002 - aiohttp names it
        """Every request, also those that a router would answer by itself, in plain text."""
        request_id, started = str(uuid.uuid4()), time.monotonic()
        try:
            resource = self._resource(request)
            keyless = resource.template in self._keyless
            caller = Caller() if keyless else await self._admission.admit(request)
            response = _response(await self._call(request, resource, request_id, caller))
        except Refused as refused:
            response = web.json_response(refused.body, status=refused.status, headers=refused.headers)
        response.headers["x-amzn-RequestId"] = request_id
        path = request.rel_url.raw_path
        milliseconds = round((time.monotonic() - started) * 1000)
        LOGGER.info(
            "%s %s %d in %d ms, request %s",
            request.method,
            path,
            response.status,
            milliseconds,
            request_id,
            extra={"action": "serve", "status": response.status, "request_id": request_id},
        )
        return response

    def _resource(self, request: web.Request) -> Resource:
        """Raises Refused where there is none, or none for this method."""
        stage, _, path = request.rel_url.raw_path.lstrip("/").partition("/")
        resource = self._resources.find(path) if stage == self._stage else None
        if resource is None:
            known = " and ".join(f"/{self._stage}{known}" for known in self._resources.templates)
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no such path; there is {known}")
        if request.method not in resource.methods:
            allowed = ", ".join(resource.methods)
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is answered here", Allow=allowed)
        return resource

    async def _call(self, request: web.Request, resource: Resource, request_id: str, caller: Caller) -> ProxyResponse:
        body = await body_of(request)
        event = proxy_event(request, body, stage=self._stage, resource=resource, request_id=request_id, caller=caller)
        handler = self._functions.get(resource.template, self._handler)
        context = LambdaContext(time.monotonic() + self._integration_seconds)
        call = asyncio.get_running_loop().run_in_executor(self._threads, _invoke, handler, event, context)
        try:
            return await asyncio.wait_for(call, self._integration_seconds)
        except TimeoutError:
            raise Refused(HTTPStatus.GATEWAY_TIMEOUT, "the API did not answer in time") from None
        except FunctionFailed as failed:
            LOGGER.error("the handler failed, request %s", request_id, exc_info=failed)  # noqa: TRY400 - its cause too
            raise Refused(HTTPStatus.BAD_GATEWAY, "the API failed") from failed


def _invoke(handler: Handler, event: dict[str, Any], context: LambdaContext) -> ProxyResponse:
    """Call the function as Lambda does, with what JSON made of the event. Raises Refused and FunctionFailed."""
    payload = json.dumps(event, ensure_ascii=False).encode(errors="replace")
    if len(payload) > MAX_EVENT_BYTES:
        raise too_large(f"the body, its quotes escaped, and the headers must be at most {MAX_EVENT_BYTES} bytes")
    try:
        return ProxyResponse.of(handler(json.loads(payload), context))
    except BaseException as error:
        raise FunctionFailed from error  # SystemExit too: it ends the function, not the gateway


def _response(answer: ProxyResponse) -> web.Response:
    headers = CIMultiDict(answer.header_pairs())
    headers.setdefault("Content-Type", "application/json")
    return web.Response(status=answer.status, body=(answer.body or "").encode(), headers=headers)
