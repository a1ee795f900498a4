"""A gateway for each test of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from test.support.gateway import KEY, LIMIT, Api, Start
from utils.local.gateway import Gateway, Handler
from utils.local.usage import ApiKey


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a gateway before a handler; further arguments are the gateway's."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler, **options: Any) -> Api:
            key = ApiKey(value=KEY, rate=options.pop("rate", 1e6), burst=options.pop("burst", 1000))
            settings = {"stage": "dev", "routes": [("POST", "/v1alpha1"), ("POST", "/v1alpha2")], "keys": [key]}
            gateway = await stack.enter_async_context(Gateway(handler, **{**settings, **options}))
            client = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT)))
            return Api(gateway, client)

        yield start
