"""One exchange with a runtime over HTTP: what goes wrong with it becomes a fault."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientConnectionError, ClientError, ClientResponse, ClientSession, ClientTimeout
from aiohttp import ConnectionTimeoutError as NoConnection
from yarl import URL

from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.address import shown_address, without_credentials

SILENT = "runtime-silent"
"""The type of the fault when an answer does not come in time."""

CONNECT_SECONDS = 5.0


@asynccontextmanager
async def exchange(
    session: ClientSession,
    method: str,
    url: URL,
    path: str,
    *,
    runtime: str,
    total: float | None,
    silence: float | None,
    **more: Any,
) -> AsyncIterator[ClientResponse]:
    """The response of the runtime at ``url`` to a request for ``path`` below it. ``runtime`` is its name for people.

    ``total`` limits the whole exchange, ``silence`` each wait for more of it, in seconds; None is no limit.
    Raises RuntimeUnavailable when the runtime is not there, RuntimeFault when it does not answer in time.
    """
    limits = ClientTimeout(total=total, sock_connect=CONNECT_SECONDS, sock_read=silence)
    at, asked = shown_address(url), f"{method} /{path}"
    try:
        async with session.request(method, url / path, timeout=limits, allow_redirects=False, **more) as response:
            yield response
    except NoConnection as error:
        raise RuntimeUnavailable("runtime-gone", f"{runtime} cannot be reached at {at}: no answer") from error
    except TimeoutError as error:
        limit = silence if total is None else total
        raise RuntimeFault(SILENT, f"{runtime} at {at} did not answer {asked} within {limit:g} s") from error
    except ClientConnectionError as error:
        reason = without_credentials(error, url) or type(error).__name__
        raise RuntimeUnavailable(
            "runtime-gone", f"{runtime} cannot be reached at {at}, it was asked for {asked}: {reason}"
        ) from error
    except (ClientError, OSError) as error:
        reason = without_credentials(error, url) or type(error).__name__
        raise RuntimeUnavailable("runtime-gone", f"{runtime} broke off its answer to {asked}: {reason}") from error
