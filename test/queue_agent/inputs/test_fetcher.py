"""What links name is fetched over HTTP. Redirects, limits, the guard and S3 have files of their own."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from queue_agent.inputs.fetcher import PARALLEL, TRIES
from queue_agent.inputs.http_source import USER_AGENT
from test.support.fetching import JPG, fetch, fetched, http_fetcher, refusal, unavailable
from test.support.web import Site, a_wire
from test.support.world import PNG


async def test_every_link_of_a_task_is_fetched_to_its_own_place(site: Site) -> None:
    # Given
    cat, mask = site.serve("/a/cat.png", PNG), site.serve("/mask", JPG)

    # When
    async with http_fetcher() as fetcher:
        files = await fetch(
            fetcher,
            {"prompt": cat, "init_images": [cat], "alwayson_scripts": {"controlnet": {"args": [{"image": mask}]}}},
        )

    # Then
    assert set(files) == {("init_images", 0), ("alwayson_scripts", "controlnet", "args", 0, "image")}
    assert files["init_images", 0].data == PNG
    assert files["init_images", 0].media_type == "image/png"
    assert files["init_images", 0].name == "cat.png"
    assert files["alwayson_scripts", "controlnet", "args", 0, "image"].data == JPG


async def test_a_content_without_links_asks_nobody() -> None:
    async with http_fetcher() as fetcher:
        assert await fetch(fetcher, {"prompt": "http://127.0.0.1:1/a dog", "steps": 20}) == {}


async def test_a_link_that_stands_twice_is_fetched_once(site: Site) -> None:
    # Given
    link = site.serve("/cat.png", PNG)

    # When
    async with http_fetcher() as fetcher:
        files = await fetch(fetcher, {"image": link, "mask": link, "images": [link]})

    # Then
    assert {file.data for file in files.values()} == {PNG}
    assert len(files) == 3
    assert site.asked("/cat.png") == 1


@pytest.mark.parametrize(
    ("path", "data", "name", "media_type"),
    [
        ("/cat.png", PNG, "cat.png", "image/png"),
        ("/cat.jpg", PNG, "cat.jpg.png", "image/png"),
        ("/cat", JPG, "cat.jpg", "image/jpeg"),
        ("/cat.png?size=large#top", PNG, "cat.png", "image/png"),
        ("/a%20cat%2F..%2Fb.png", PNG, "a_20cat_2F.._2Fb.png", "image/png"),
        ("/%E7%8C%AB.png", PNG, "_E7_8C_AB.png", "image/png"),
        ("/%2e%2e%5c%00cat%22.png", PNG, "_5C_00cat_22.png", "image/png"),
        ("/.hidden", PNG, "hidden.png", "image/png"),
        ("/a." + "b" * 63, PNG, "b" * 63 + ".png", "image/png"),
        ("/" + "c" * 200, PNG, "c" * 64 + ".png", "image/png"),
        ("/notes.txt", b"words", "notes.txt", "application/octet-stream"),
        ("/", PNG, "127.0.0.1_.png", "image/png"),
        ("/...", PNG, "input.png", "image/png"),
    ],
)
async def test_a_file_is_named_safely_after_its_link_with_the_extension_of_its_content(
    site: Site, path: str, data: bytes, name: str, media_type: str
) -> None:
    # Given
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=data, content_type="text/html")

    link = f"{str(site.url).rstrip('/')}{path}"
    site.answers = _Everywhere(answer)

    # When
    async with http_fetcher() as fetcher:
        file = (await fetch(fetcher, {"image": link}))["image",]

    # Then
    if path == "/":
        name = f"127.0.0.1_{site.url.port}.png"
    assert (file.name, file.media_type, file.data) == (name, media_type, data)


class _Everywhere(dict[str, Any]):
    """The same answer at every path."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer

    def get(self, key: str, default: Any = None) -> Any:
        return self._answer


async def test_so_many_links_are_fetched_at_a_time_and_no_more(site: Site) -> None:
    # Given answers that wait until so many ask
    together, asking, most = asyncio.Barrier(PARALLEL), 0, 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await together.wait()
        asking -= 1
        return web.Response(body=PNG)

    # When
    links = [site.at(f"/{number}.png", answer) for number in range(2 * PARALLEL)]
    async with http_fetcher() as fetcher:
        files = await fetch(fetcher, {"images": links})

    # Then
    assert len(files) == 2 * PARALLEL
    assert most == PARALLEL


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410])
async def test_a_link_that_gives_no_file_is_the_callers_fault_and_asked_once(site: Site, status: int) -> None:
    # Given
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    link = site.at("/missing.png", answer)

    # Then
    assert await refusal(f"{link}?sig=SECRET") == f"could not fetch {link}: its server answered {status}"
    assert site.asked("/missing.png") == 1


async def test_a_server_in_trouble_is_asked_once_more(site: Site) -> None:
    # Given
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=PNG, status=200 if site.asked("/cat.png") > 1 else 500)

    # Then
    assert await fetched(site.at("/cat.png", answer)) == PNG
    assert site.asked("/cat.png") == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_server_that_stays_in_trouble_is_worth_another_delivery(site: Site, status: int) -> None:
    # Given
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    link = site.at("/cat.png", answer)

    # Then
    assert await unavailable(link) == f"could not fetch {link}: its server answered {status}"
    assert site.asked("/cat.png") == TRIES


async def test_an_empty_file_is_refused_never_handed_to_the_runtime(site: Site) -> None:
    link = site.serve("/empty.png", b"")
    assert await refusal(link) == f"could not fetch {link}: it is empty"


async def test_a_file_that_breaks_off_is_asked_for_again_and_never_delivered_short() -> None:
    # Given a server that promises more than it sends, the first time
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sent = PNG if wire.connections > 1 else PNG[:10]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PNG), sent))
        await writer.drain()

    async with a_wire(speak) as wire:
        # Then
        assert await fetched(f"http://127.0.0.1:{wire.port}/cat.png", max_bytes=len(PNG)) == PNG
        assert wire.connections == 2


async def test_a_file_that_always_breaks_off_is_unavailable() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        await writer.drain()

    async with a_wire(speak) as wire:
        said = await unavailable(f"http://127.0.0.1:{wire.port}/cat.png")
        assert said.startswith(f"could not fetch http://127.0.0.1:{wire.port}/cat.png: ClientPayloadError")
        assert wire.connections == TRIES


@pytest.mark.parametrize(
    "answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\x00" * 100]
)
async def test_a_server_that_does_not_speak_http_is_told_without_the_links_secrets(answer: bytes) -> None:
    # Given
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with a_wire(speak) as wire:
        # When
        said = await unavailable(f"http://user:SECRET@127.0.0.1:{wire.port}/cat.png?X-Amz-Signature=SECRET#SECRET")

        # Then
        assert said.startswith(f"could not fetch http://127.0.0.1:{wire.port}/cat.png: ")
        assert "SECRET" not in said


async def test_nobody_listening_is_told() -> None:
    async with a_wire(lambda *_: asyncio.sleep(0)) as wire:
        link = f"http://127.0.0.1:{wire.port}/"
    said = await unavailable(link)
    assert said.startswith(f"could not fetch {link}: ClientConnectorError: ")
    assert "Connect call failed" in said


@pytest.mark.parametrize(
    "link",
    ["http://a:99999/x?sig=SECRET", "http://[::1/", "http://:80/", "http://xn--/", "http://?", f"http://{'a' * 64}.b/"],
)
async def test_a_link_that_is_no_url_is_the_callers_fault(link: str) -> None:
    said = await refusal(link)
    assert said.endswith(": it is not a valid URL")
    assert "SECRET" not in said


async def test_a_server_learns_who_asks_and_nothing_of_other_tasks(site: Site) -> None:
    # Given
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=PNG, headers={"Set-Cookie": "task=1; Path=/"})

    site.at("/cat.png", answer)
    link = f"http://localhost:{site.url.port}/cat.png"

    # When
    async with http_fetcher() as fetcher:
        await fetch(fetcher, {"image": link})
        await fetch(fetcher, {"image": link})

    # Then
    for request in site.requests:
        assert request.headers["User-Agent"] == USER_AGENT
        assert "Cookie" not in request.headers
        assert "Referer" not in request.headers


async def test_proxies_of_the_environment_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect for us, past every check of the address."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await fetched(site.serve("/cat.png", PNG)) == PNG
