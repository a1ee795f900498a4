"""Reading what a runtime answers, within limits."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from queue_agent.errors import AgentError, PermanentError, RuntimeFault
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, AnswerTooLarge, read_body
from queue_agent.runtimes.comfyui import Adapter as ComfyUI
from queue_agent.runtimes.identify import identify
from queue_agent.runtimes.invokeai import Adapter as InvokeAI
from queue_agent.runtimes.invokeai.api import Api
from queue_agent.runtimes.sdwebui import Adapter as SdWebui
from test.support.web import Site, a_site

LIMIT = 1000


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_within_the_limit_is_whole(size: int, site: Site, session: ClientSession) -> None:
    async with session.get(site.serve("/a", b"x" * size)) as response:
        assert await read_body(response, LIMIT) == b"x" * size


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
async def test_a_larger_body_is_not_read(site: Site, session: ClientSession, *, compressed: bool) -> None:
    # Given a body beyond the limit, once it is decompressed
    body = bytes(10_000_000)
    link = (
        site.serve("/a", gzip.compress(body), **{"Content-Encoding": "gzip"}) if compressed else site.serve("/a", body)
    )
    async with session.get(link) as response:
        # When, then
        with pytest.raises(AnswerTooLarge, match="larger than 1000 bytes"):
            await read_body(response, LIMIT)
        assert response.closed


async def test_an_endless_body_ends(site: Site, session: ClientSession) -> None:
    # Given
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(100))

    async with session.get(site.at("/a", endless)) as response:
        with pytest.raises(AnswerTooLarge):
            await read_body(response, LIMIT)


@pytest.mark.parametrize("adapter", [SdWebui, ComfyUI, InvokeAI], ids=["sdwebui", "comfyui", "invokeai"])
async def test_a_question_with_a_huge_answer_is_a_fault_of_the_runtime(
    adapter: Any, site: Site, session: ClientSession
) -> None:
    # Given a server that answers everything with too much
    body = b" " * (MAX_ANSWER_BYTES + 1)
    for path in ("/sdapi/v1/sd-models", "/system_stats", "/api/v1/queue/default/status"):
        site.serve(path, body)
    # When, then
    with pytest.raises(RuntimeFault, match=f"larger than {MAX_ANSWER_BYTES} bytes"):
        await adapter(site.url, session).check_ready()


async def test_a_huge_answer_identifies_no_runtime(site: Site, session: ClientSession) -> None:
    site.serve("/system_stats", b" " * (MAX_ANSWER_BYTES + 1))

    assert await identify(site.url, session, seconds=30) is None


async def test_the_items_of_a_batch_share_one_limit(site: Site, session: ClientSession) -> None:
    # Given items that are fine alone
    for number in range(3):
        site.serve(f"/api/v1/queue/default/i/{number}", b"{}" + b" " * (MAX_ANSWER_BYTES // 2 - 2))
    api = Api(site.url, session)
    # When, then
    assert await api.items_of([0, 1]) == [{}, {}]
    with pytest.raises(PermanentError) as caught:
        await api.items_of([0, 1, 2])
    error: AgentError = caught.value
    assert error.type == "output-limit"
    assert f"the batch's 3 items has more than {MAX_ANSWER_BYTES} bytes" in error.message
