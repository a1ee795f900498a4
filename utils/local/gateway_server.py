"""The front door in a process of its own: the gateway, and behind it the Lambda handler with a Lambda's environment.

The variable GATEWAY holds the API's settings, as JSON: the keyword arguments of ``Gateway``, of each key and of
``Signatures``, and the URLs of functions in other processes; the only argument is the number of the listening socket
that the parent opened. With OTEL_EXPORTER_OTLP_ENDPOINT each request is
the first span of its task's trace.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack

from frontend_lambda.handler import handle
from utils.local.function_client import RemoteFunction
from utils.local.gateway import Gateway, Handler
from utils.local.signature import Signatures
from utils.local.usage import ApiKey


async def serve() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        handler = await _traced(handle, os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"), stack)
        listening = socket.socket(fileno=int(sys.argv[1]))
        settings = json.loads(os.environ["GATEWAY"])
        keys = [ApiKey(**key) for key in settings.pop("keys")]
        signatures = Signatures(**values) if (values := settings.pop("signatures")) else None
        functions = {path: RemoteFunction(url) for path, url in settings.pop("functions").items()}
        gateway = Gateway(
            handler, keys=keys, signatures=signatures, functions=functions, listening=listening, **settings
        )
        await stack.enter_async_context(gateway)
        await stop.wait()


async def _traced(handler: Handler, endpoint: str | None, stack: AsyncExitStack) -> Handler:
    if not endpoint:
        return handler
    from utils.local.tracing import TracedHandler  # noqa: PLC0415 - half a second that nobody else should wait

    traced = TracedHandler(handler, endpoint)
    stack.push_async_callback(traced.close)
    return traced


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve())
