"""An AWS endpoint in front of another one, with added latency and failures: for benchmarks and fault tests."""

import asyncio
import io
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from utils.local.ports import LOOPBACK

_SERVICE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([a-z0-9]+)/aws4_request")
_HOP_HEADERS = frozenset({"host", "connection", "transfer-encoding", "content-length"})

MAX_BODY_BYTES = 512 * 1024 * 1024

SHUTDOWN_SECONDS = 0.1
"""A call that is still delayed when the context ends has no reader any more; 0 would mean no limit to aiohttp."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the SDK. ``action`` is the API's name for SQS and SNS, the HTTP method for S3."""

    service: str
    action: str
    path: str


Failure = Callable[[Call], "web.Response | None"]
"""Answers instead of AWS, or None to let the call through."""

Loss = Callable[[Call], bool]
"""Whether the answer of a call that AWS has taken is lost on its way."""


@dataclass(slots=True)
class Conditions:
    """``latency``: seconds added to each call of a service. ``failure`` and ``loss`` may be set and taken away at any
    time."""

    latency: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    loss: Loss | None = None
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)


@asynccontextmanager
async def aws_proxy(upstream: str, conditions: Conditions) -> AsyncIterator[str]:
    """Serve on loopback until the context ends; yields the endpoint's URL."""
    async with aiohttp.ClientSession(
        auto_decompress=False, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            try:
                body = await request.read()
            except ConnectionError:
                return web.Response()  # the caller was killed while it sent its request
            call = _call(request, body)
            conditions.calls[call.service, call.action] += 1
            due = time.monotonic() + conditions.latency.get(call.service, 0.0)
            if conditions.failure is not None:
                refused = conditions.failure(call)
                if refused is not None:
                    await _until(due)
                    return refused
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
            headers["Host"] = request.host
            headers["Content-Length"] = str(len(body))
            async with session.request(
                request.method,
                f"{upstream}{request.raw_path}",
                headers=headers,
                data=io.BytesIO(body),
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
                await _until(due)
                if conditions.loss is not None and conditions.loss(call) and request.transport is not None:
                    request.transport.close()
                return web.Response(status=answer.status, headers=kept, body=content)

        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, 0).start()
            yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def failing(share: float, seed: int = 0) -> Failure:
    """A share (0..1) of all calls is throttled or answered 500, each before AWS sees it."""
    rolls = random.Random(seed)  # noqa: S311 - faults, not secrets

    def fail(_: Call) -> web.Response | None:
        if rolls.random() >= share:
            return None
        return error_answer(*(("ThrottlingException", 400) if rolls.random() < 0.5 else ("InternalError", 500)))  # noqa: PLR2004

    return fail


def down(service: str) -> Failure:
    """Every call of the service is answered 503."""
    return lambda call: error_answer("ServiceUnavailable", 503) if call.service == service else None


def error_answer(code: str, status: int) -> web.Response:
    """An error as every protocol of the SDK reads it."""
    if code == "":
        return web.Response(status=status)
    xml = f"<ErrorResponse><Error><Code>{code}</Code><Message>simulated</Message></Error></ErrorResponse>"
    return web.Response(
        status=status,
        body=xml.encode(),
        content_type="application/xml",
        headers={"x-amzn-ErrorType": code, "x-amzn-query-error": f"{code};Sender"},
    )


async def _until(due: float) -> None:
    await asyncio.sleep(max(0.0, due - time.monotonic()))


def _call(request: web.Request, body: bytes) -> Call:
    found = _SERVICE.search(request.headers.get("Authorization", ""))
    service = found.group(1) if found else "s3"
    target = request.headers.get("X-Amz-Target", "")
    if target:
        action = target.rpartition(".")[2]
    elif service == "sns":
        named = re.search(rb"Action=(\w+)", body)
        action = named.group(1).decode() if named else request.method
    else:
        action = request.method
    return Call(service, action, request.path)
