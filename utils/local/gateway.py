"""The front door's API Gateway on this machine: HTTP in, the real Lambda handler behind it.

It does what a regional REST API with the stack's settings does: paths below a stage, API keys with a throttle and a
quota each, the size limits of API Gateway and of Lambda, the time limit of an integration, JSON for every error. One
thing differs: other paths and methods are 404 and 405, where AWS answers 403 "Missing Authentication Token" to both.
"""

import asyncio
import hmac
import json
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeAlias

from aiohttp import web
from multidict import CIMultiDict

from utils.local.gateway_routes import Resource, Resources
from utils.local.lambda_proxy import LambdaContext, ProxyResponse, proxy_event
from utils.local.ports import address, listen
from utils.local.usage import ApiKey, OverLimit, Usage

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Of API Gateway: "HTTP content length exceeded 10485760 bytes"."""

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Of Lambda's synchronous invocation, the whole event as JSON."""

INTEGRATION_SECONDS = 29.0
"""How long API Gateway waits for a function, unless AWS was asked for more."""

READ_SECONDS = 30.0
"""How long a client may take to send its body."""

STOP_SECONDS = 5.0

CONCURRENCY = 256
"""Calls of the handler at once; further ones wait. Most of them wait for a task (``Prefer: wait``) and must hold
up nobody; a thread that waits costs next to nothing. In AWS each has a function of its own."""

LOGGER = logging.getLogger("gateway")

Handler: TypeAlias = Callable[[dict[str, Any], LambdaContext], Any]


class Refused(Exception):
    """A request that no function sees."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class FunctionFailed(Exception):
    """The function raised, or returned what is no answer."""


class Gateway:
    """One REST API. Serves between ``start`` and ``stop``, or inside ``async with``.

    ``routes`` are pairs of a method and a resource, such as ``/v1alpha2/tasks/{id}``; ``keyless`` are the resources
    that need no key. ``listening`` is a listening socket of the caller; without one it listens on any free port.
    ``handler`` is called in threads, several at once, with a proxy event and a context.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        stage: str,
        routes: Sequence[tuple[str, str]],
        keys: Iterable[ApiKey],
        keyless: Sequence[str] = (),
        listening: socket.socket | None = None,
        integration_seconds: float = INTEGRATION_SECONDS,
    ) -> None:
        self._handler = handler
        self._stage = stage
        self._resources = Resources(routes)
        self._keyless = frozenset(keyless)
        self._usages = tuple(Usage(key) for key in keys)
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
            resource, api_key = self._admit(request)
            response = _response(await self._call(request, resource, request_id, api_key))
        except Refused as refused:
            response = web.json_response(
                {"message": refused.message, "errors": []}, status=refused.status, headers=refused.headers
            )
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

    def _admit(self, request: web.Request) -> tuple[Resource, ApiKey | None]:
        """The resource, and the key where it needs one.

        Raises Refused for what API Gateway answers before it looks at the body.
        """
        stage, _, path = request.rel_url.raw_path.lstrip("/").partition("/")
        resource = self._resources.find(path) if stage == self._stage else None
        if resource is None:
            known = " and ".join(f"/{self._stage}{known}" for known in self._resources.templates)
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no such path; there is {known}")
        if request.method not in resource.methods:
            allowed = ", ".join(resource.methods)
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is answered here", Allow=allowed)
        if resource.template in self._keyless:
            return resource, None
        usage = self._usage(request.headers.get("x-api-key", "").encode(errors="surrogateescape"))
        if usage is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "the header x-api-key is missing or holds no valid key")
        try:
            usage.take()
        except OverLimit as error:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, str(error)) from error
        return resource, usage.key

    def _usage(self, value: bytes) -> Usage | None:
        """Every key is compared, so that the time tells nothing."""
        found = [usage for usage in self._usages if hmac.compare_digest(value, usage.key.value.encode())]
        return found[0] if found else None

    async def _call(
        self, request: web.Request, resource: Resource, request_id: str, api_key: ApiKey | None
    ) -> ProxyResponse:
        body = await _body(request)
        event = proxy_event(request, body, stage=self._stage, resource=resource, request_id=request_id, api_key=api_key)
        context = LambdaContext(time.monotonic() + self._integration_seconds)
        call = asyncio.get_running_loop().run_in_executor(self._threads, _invoke, self._handler, event, context)
        try:
            return await asyncio.wait_for(call, self._integration_seconds)
        except TimeoutError:
            raise Refused(HTTPStatus.GATEWAY_TIMEOUT, "the API did not answer in time") from None
        except FunctionFailed as failed:
            LOGGER.error("the handler failed, request %s", request_id, exc_info=failed)  # noqa: TRY400 - its cause too
            raise Refused(HTTPStatus.BAD_GATEWAY, "the API failed") from failed


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(f"the body must be at most {MAX_BODY_BYTES} bytes") from None
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None
    except web.RequestPayloadError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body cannot be decoded as its headers say") from None
    except ConnectionError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the connection was lost") from None  # for the log; nobody reads it


def _invoke(handler: Handler, event: dict[str, Any], context: LambdaContext) -> ProxyResponse:
    """Call the function as Lambda does, with what JSON made of the event. Raises Refused and FunctionFailed."""
    payload = json.dumps(event, ensure_ascii=False).encode(errors="replace")
    if len(payload) > MAX_EVENT_BYTES:
        raise _too_large(f"the body, its quotes escaped, and the headers must be at most {MAX_EVENT_BYTES} bytes")
    try:
        return ProxyResponse.of(handler(json.loads(payload), context))
    except BaseException as error:
        raise FunctionFailed from error  # SystemExit too: it ends the function, not the gateway


def _too_large(limit: str) -> Refused:
    advice = "put images in S3 and send their s3:// URLs instead"
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is too large: {limit}; {advice}")


def _response(answer: ProxyResponse) -> web.Response:
    headers = CIMultiDict(answer.header_pairs())
    headers.setdefault("Content-Type", "application/json")
    return web.Response(status=answer.status, body=(answer.body or "").encode(), headers=headers)
