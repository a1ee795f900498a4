"""What a link may cost: bytes, seconds, and nothing once it is refused."""

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from contract.links import MAX_LINK_LENGTH, MAX_LINKS
from queue_agent.errors import PermanentError
from queue_agent.inputs.fetcher import MAX_TASK_FACTOR, PARALLEL
from test.support.fetching import PATIENCE, fetch, fetched, http_fetcher, refusal, unavailable
from test.support.web import Site, a_site, a_wire
from test.support.world import PNG, until


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


async def never(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_file_may_be_as_large_as_the_limit_and_no_larger(site: Site, chunked: bool) -> None:
    # Given
    async def answer(request: web.Request) -> web.StreamResponse:
        size = int(request.query["size"])
        if not chunked:
            return web.Response(body=b"x" * size)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * size)
        return response

    link = site.at("/large", answer)

    # Then
    assert len(await fetched(f"{link}?size=100000", max_bytes=100_000)) == 100_000
    said = await refusal(f"{link}?size=100001", max_bytes=100_000)
    assert said == f"could not fetch {link}: it is larger than 100000 bytes"
    assert site.asked("/large") == 2


async def test_an_endless_file_is_cut_off_at_the_limit(site: Site) -> None:
    # Given
    cut_off = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 10_000)
        finally:
            cut_off.set()

    link = site.at("/endless", answer)
    async with http_fetcher(max_bytes=100_000) as fetcher:
        # When
        with pytest.raises(PermanentError, match="larger than") as caught:
            await fetch(fetcher, {"image": link})

        # Then the connection is closed, although the error is still held and the fetcher is still open
        await asyncio.wait_for(cut_off.wait(), PATIENCE)
        assert caught.value


async def test_a_small_answer_that_unpacks_to_a_large_file_is_cut_off_and_never_held(site: Site) -> None:
    # Given 200 MB of nothing, packed
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 250_000
    link = site.serve("/bomb.png", bomb, **{"Content-Encoding": "gzip"})

    # When
    async with http_fetcher(max_bytes=1_000_000) as fetcher:
        tracemalloc.start()
        try:
            with pytest.raises(PermanentError, match="it is larger than 1000000 bytes"):
                await fetch(fetcher, {"image": link})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    # Then
    assert peak < 20_000_000


async def test_a_packed_answer_is_unpacked(site: Site) -> None:
    link = site.serve("/cat.png", gzip.compress(PNG), **{"Content-Encoding": "gzip"})
    assert await fetched(link) == PNG


async def test_a_broken_packed_answer_is_told(site: Site) -> None:
    link = site.serve("/cat.png", b"not gzip at all", **{"Content-Encoding": "gzip"})
    said = await unavailable(f"{link}?sig=SECRET")
    assert said.startswith(f"could not fetch {link}: ")
    assert "SECRET" not in said


async def test_a_server_that_never_answers_is_given_up(site: Site) -> None:
    link = site.at("/slow.png", never)
    said = await unavailable(f"{link}?sig=SECRET", timeout=0.2)
    assert said == f"could not fetch {link}: the links of the task did not arrive within 0.2 s"


async def test_a_server_that_sends_a_byte_now_and_then_is_given_up(site: Site) -> None:
    # Given
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    # Then
    assert (await unavailable(site.at("/slow.png", answer), timeout=0.3)).endswith("did not arrive within 0.3 s")


async def test_all_links_together_may_hold_only_so_much(site: Site) -> None:
    # Given
    links = [site.serve(f"/{number}", b"x" * 1000) for number in range(MAX_TASK_FACTOR + 1)]

    # Then
    async with http_fetcher(max_bytes=1000) as fetcher:
        assert len(await fetch(fetcher, {"images": links[:-1]})) == MAX_TASK_FACTOR
        assert len(await fetch(fetcher, {"images": links[:-1]})) == MAX_TASK_FACTOR, "each task has its own"
    said = await refusal(*links, max_bytes=1000)
    assert said.endswith(": all links of the task together are too large; send fewer or smaller files")


async def test_what_broke_off_does_not_count_twice(site: Site) -> None:
    # Given as much as a task may hold, where each file breaks off once just before its end
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        sent = 1000 if asked in seen else 999
        seen.add(asked)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * sent)
        await writer.drain()

    seen: set[bytes] = set()
    async with a_wire(speak) as wire, http_fetcher(max_bytes=1000) as fetcher:
        links = [f"http://127.0.0.1:{wire.port}/{number}" for number in range(MAX_TASK_FACTOR)]
        files = await fetch(fetcher, {"images": links})
    assert [len(file.data) for file in files.values()] == [1000] * MAX_TASK_FACTOR


async def test_a_file_counts_as_often_as_it_is_named(site: Site) -> None:
    """Each place of the content may become a copy of its own in the runtime's request."""
    # Given
    link = site.serve("/large", b"x" * 1000)

    # Then
    assert (await refusal(*[link] * (MAX_TASK_FACTOR + 1), max_bytes=1000)).endswith("send fewer or smaller files")
    async with http_fetcher(max_bytes=1000) as fetcher:
        files = await fetch(fetcher, {"images": [link] * MAX_TASK_FACTOR})
    assert len({id(file.data) for file in files.values()}) == 1, "and is held once"


async def test_a_task_may_have_only_so_many_links(site: Site) -> None:
    # Given
    links = [site.serve(f"/{number}", b"x") for number in range(MAX_LINKS + 1)]

    # Then
    async with http_fetcher() as fetcher:
        assert len(await fetch(fetcher, {"images": links[:-1]})) == MAX_LINKS
    asked = len(site.requests)
    assert await refusal(*links) == f"the task has more than {MAX_LINKS} links; a task may have {MAX_LINKS}"
    assert len(site.requests) == asked, "nobody is asked for the rest"


async def test_all_links_together_take_the_time_of_one(site: Site) -> None:
    # Given many more links than are fetched at a time, whose servers take almost the whole time each
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.8)
        return web.Response(body=PNG)

    links = [site.at(f"/{number}", slow) for number in range(4 * PARALLEL)]
    began = time.monotonic()

    # Then
    assert "the links of the task did not arrive within 1 s" in await unavailable(*links, timeout=1)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("link", ["http://{host}/{path} ", "\n http://{host}/{path}\t\r\n"])
async def test_a_link_with_white_space_around_it_is_resolved_since_a_runtime_might_fetch_it(
    site: Site, link: str
) -> None:
    site.serve("/cat.png", PNG)
    written = link.format(host=f"127.0.0.1:{site.url.port}", path="cat.png")
    assert await fetched(written) == PNG


async def test_what_begins_like_a_link_and_is_none_is_refused_since_a_runtime_might_fetch_it(site: Site) -> None:
    # Given
    long = str(site.url) + "x" * MAX_LINK_LENGTH

    # Then
    said = await refusal(long)
    assert said.endswith(f"it is longer than {MAX_LINK_LENGTH} characters")
    assert len(said) < 500
    assert "it contains white space" in await refusal(f"{site.url}a b")
    assert site.requests == []


async def test_one_bad_link_ends_the_fetching_of_the_others(site: Site) -> None:
    # Given a link that is bad once the others are on their way
    waiting, let_go = asyncio.Barrier(3), 0

    async def slow(_: web.Request) -> web.Response:
        nonlocal let_go
        await waiting.wait()
        try:
            await asyncio.Event().wait()
        finally:
            let_go += 1
        raise AssertionError

    async def bad(_: web.Request) -> web.Response:
        await waiting.wait()
        return web.Response(status=404)

    links = [site.at("/slow1", slow), site.at("/slow2", slow), site.at("/bad", bad)]
    async with http_fetcher(timeout=3600) as fetcher:
        before = asyncio.all_tasks()

        # When
        with pytest.raises(PermanentError, match="bad: its server answered 404"):
            await fetch(fetcher, {"images": links})

        # Then nothing of the task is left behind, here and at the servers
        assert {task for task in asyncio.all_tasks() - before if "Fetcher" in repr(task)} == set()
        await until(lambda: let_go == 2)


async def test_a_cancelled_fetch_leaves_nothing_behind(site: Site) -> None:
    # Given
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            let_go.set()
        raise AssertionError

    async with http_fetcher() as fetcher:
        fetching = asyncio.create_task(fetch(fetcher, {"image": site.at("/slow", slow)}))
        await asyncio.wait_for(asked.wait(), PATIENCE)

        # When
        fetching.cancel()

        # Then
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await asyncio.wait_for(let_go.wait(), PATIENCE)
