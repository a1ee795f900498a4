"""A Lambda function in a process of its own: ``python -m utils.local.function_server FD MODULE.FUNCTION``.

It serves Lambda's Invoke call on a listening socket that the parent opened: a POST of the event, answered with what the
handler returned. One call runs at a time, and others wait; in AWS each has a copy of the function of its own.
"""

import asyncio
import importlib
import logging
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from utils.local.lambda_proxy import LambdaContext

INVOKE_PATH = "/2015-03-31/functions/function/invocations"
"""Of Lambda's API; the runtime interface emulator has the same."""

TIMEOUT_SECONDS = 29.0
"""As the stack's functions behind the API have it."""

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Of a synchronous invocation."""

FUNCTION_ERROR = "X-Amz-Function-Error"
"""Header of an answer that is the function's failure."""

LOGGER = logging.getLogger("function")


def application(handler: Any) -> web.Application:
    """The Invoke call of ``handler``."""
    thread = ThreadPoolExecutor(1, "function")

    def call(event: Any) -> Any:
        return handler(event, LambdaContext(time.monotonic() + TIMEOUT_SECONDS))

    async def invoke(request: web.Request) -> web.Response:
        event = await request.json()
        try:
            return web.json_response(await asyncio.get_running_loop().run_in_executor(thread, call, event))
        except Exception as error:
            LOGGER.exception("the function failed")
            failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return web.json_response(failure, headers={FUNCTION_ERROR: "Unhandled"})

    app = web.Application(client_max_size=MAX_EVENT_BYTES)
    app.router.add_post(INVOKE_PATH, invoke)
    return app


async def serve(number: int, name: str) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    module, _, function = name.rpartition(".")
    handler = getattr(await asyncio.to_thread(importlib.import_module, module), function)
    runner = web.AppRunner(application(handler), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, socket.socket(fileno=number)).start()
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
