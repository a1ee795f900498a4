"""The HTTP session with the runtime."""

import json
from typing import Any

import aiohttp
import orjson

KEPT_SECONDS = 1.0
"""How long an idle connection is kept. A busy agent asks and sends every few milliseconds, and a new connection for
each costs CPU that the runtime needs. uvicorn, which SD WebUI and InvokeAI run on, closes idle connections after 5 s: a
run that is sent on one just then would be lost, so ours are closed long before."""

CONNECT_SECONDS = 5.0


def runtime_session() -> aiohttp.ClientSession:
    """To be closed by the caller. It has no total timeout: the task's own limit rules the time."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=KEPT_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
        json_serialize_bytes=_json,
        trust_env=False,
    )


def _json(body: Any) -> bytes:
    """A body may hold megabytes of base64, and the GPU waits while it is written."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        return json.dumps(body).encode()
