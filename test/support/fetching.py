"""Fetching links of loopback, and what is said of those that are refused."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, cast

import pytest

from queue_agent.errors import LinkUnavailable, PermanentError
from queue_agent.inputs.fetcher import Fetcher, Limits
from queue_agent.runtimes.base import File, Path
from test.support.telemetry import a_trace

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

JPG = b"\xff\xd8\xff\xe0" + b"a photo"

PATIENCE = 30.0
"""Seconds a link may take where a test is about something else."""

PREFIX = "out"
"""Of the task whose links are fetched."""

LOOPBACK_NETWORK = ip_network("127.0.0.0/8")


def http_fetcher(**limits: Any) -> Fetcher:
    """It may reach loopback unless the limits say otherwise, and has no S3 to ask."""
    return a_fetcher(
        cast("S3Client", None),
        **{"networks": (LOOPBACK_NETWORK,), "allow_loopback": True, "retry_pause": 0.01, **limits},
    )


def a_fetcher(s3: "S3Client", **limits: Any) -> Fetcher:
    """It takes a megabyte and PATIENCE for a link, unless told otherwise."""
    return Fetcher(s3, Limits(**{"max_bytes": 1_000_000, "timeout": PATIENCE, **limits}))


async def fetch(
    fetcher: Fetcher, content: Mapping[str, Any], readable: tuple[str, ...] = (PREFIX,)
) -> dict[Path, File]:
    """As the agent fetches for one delivery."""
    return await fetcher.fetch(content, a_trace(), readable=readable)


async def fetched(link: str, **limits: Any) -> bytes:
    """What the link names."""
    async with http_fetcher(**limits) as fetcher:
        return (await fetch(fetcher, {"image": link}))["image",].data


async def unavailable(*links: str, **limits: Any) -> str:
    """Why a task with these links is to be tried again."""
    async with http_fetcher(**limits) as fetcher:
        with pytest.raises(LinkUnavailable) as caught:
            await fetch(fetcher, {"images": list(links)})
    return caught.value.message


async def refusal(*links: str, **limits: Any) -> str:
    """Why a task with these links fails."""
    async with http_fetcher(**limits) as fetcher:
        with pytest.raises(PermanentError) as caught:
            await fetch(fetcher, {"images": list(links)})
    assert caught.value.type == "link"
    return caught.value.message
