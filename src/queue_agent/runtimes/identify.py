"""Which kind of server answers at an address, as each kind's own routes tell it."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, AnswerTooLarge, read_body

LOOK_SECONDS = 3.0
"""An agent asks only when a server does not answer as its type does, so a slow one is not waited for."""

SIGNATURES: Mapping[RuntimeType, tuple[str, str]] = MappingProxyType(
    {
        RuntimeType.SDWEBUI: ("sdapi/v1/progress", "state"),
        RuntimeType.COMFYUI: ("system_stats", "system"),
        RuntimeType.INVOKEAI: ("api/v1/app/version", "version"),
        RuntimeType.IMAGEKIT: ("health", "image_kit"),
    }
)
"""A route that only this kind serves, and a key of its answer."""

PRODUCTS: Mapping[RuntimeType, str] = MappingProxyType(
    {
        RuntimeType.SDWEBUI: "SD WebUI",
        RuntimeType.COMFYUI: "ComfyUI",
        RuntimeType.INVOKEAI: "InvokeAI",
        RuntimeType.IMAGEKIT: "the image kit",
    }
)


async def identify(url: URL, session: ClientSession, seconds: float = LOOK_SECONDS) -> RuntimeType | None:
    """The kind of the server at ``url``, None when it answers as none of them within ``seconds``. Never raises."""
    found = await asyncio.gather(*(_is(kind, url, session, seconds) for kind in SIGNATURES))
    return next((kind for kind, is_it in zip(SIGNATURES, found, strict=True) if is_it), None)


async def mismatch(expected: RuntimeType, url: URL, session: ClientSession) -> str | None:
    """A sentence when another kind of server answers there than the expected one; None otherwise."""
    found = await identify(url, session)
    if found is None or found is expected:
        return None
    return f"the server there is {PRODUCTS[found]}: give the runtime the type {found.value}, or the address of its own"


async def _is(kind: RuntimeType, url: URL, session: ClientSession, seconds: float) -> bool:
    route, key = SIGNATURES[kind]
    try:
        limit = ClientTimeout(total=seconds)
        async with session.get(url / route, timeout=limit, allow_redirects=False) as answer:
            body: Any = (
                json.loads(await read_body(answer, MAX_ANSWER_BYTES)) if answer.status == HTTPStatus.OK else None
            )
    except (AnswerTooLarge, ClientError, OSError, RecursionError, TimeoutError, ValueError):
        return False
    return isinstance(body, dict) and key in body
