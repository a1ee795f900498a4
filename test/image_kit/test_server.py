"""The server's routes, with models that only draw."""

import asyncio
import base64
from collections.abc import AsyncIterator
from io import BytesIO
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import ClientSession, web
from PIL import Image
from yarl import URL

from contract.image_kit import ROUTES
from image_kit.images import Limits
from image_kit.links import Reach
from image_kit.server import Server
from test.support.drawings import encoded
from test.support.web import Site, a_site
from utils.simulators.imagekit import SimulatedModels

PATIENCE = 30.0
LIMITS = Limits(max_bytes=100_000, max_pixels=1_000_000, max_edge=600)
REACH = Reach(max_bytes=LIMITS.max_bytes, seconds=5, networks=(ip_network("127.0.0.0/8"),), allow_loopback=True)


class Kit:
    """A client of one server."""

    def __init__(self, session: ClientSession, url: URL) -> None:
        self._session = session
        self._url = url

    async def post(self, route: str, body: Any, **headers: str) -> tuple[int, Any]:
        async with self._session.post(self._url / route, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def raw(self, route: str, body: bytes) -> tuple[int, Any]:
        async with self._session.post(self._url / route, data=body) as answer:
            return answer.status, await answer.json()

    async def health(self) -> tuple[int, Any]:
        async with self._session.get(self._url / "health") as answer:
            return answer.status, await answer.json()

    async def working(self) -> dict[str, Any]:
        """The state once a job runs."""
        async with asyncio.timeout(PATIENCE):
            while True:
                _, state = await self.health()
                if state["job"]:
                    return dict(state)
                await asyncio.sleep(0.02)


async def _serve(seconds_per_step: float = 0.0, reach: Reach = REACH, *, ready: bool = True) -> AsyncIterator[Kit]:
    server = Server(SimulatedModels(seconds_per_step), LIMITS, reach)
    if ready:
        server.ready.set()
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession() as session:
            yield Kit(session, URL(f"http://127.0.0.1:{runner.addresses[0][1]}"))
    finally:
        await runner.cleanup()


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    async for kit in _serve():
        yield kit


@pytest.fixture
async def slow() -> AsyncIterator[Kit]:
    async for kit in _serve(0.05):
        yield kit


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


def _img(width: int = 40, height: int = 20, mode: str = "RGB") -> str:
    return base64.b64encode(encoded(Image.new(mode, (width, height)))).decode()


def _image(body: dict[str, Any]) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(body["result"], validate=True)))


@pytest.mark.parametrize("route", [name for name in ROUTES if "resolution" in name])
async def test_super_resolution_doubles_unless_a_scale_is_given(kit: Kit, route: str) -> None:
    # When
    status, twice = await kit.post(route, {"img": _img()})
    _, fourfold = await kit.post(route, {"img": _img(), "scale": 4, "face": False})

    # Then
    assert (status, list(twice)) == (200, ["result"])
    assert (_image(twice).size, _image(twice).format) == ((80, 40), "PNG")
    assert _image(fourfold).size == (160, 80)


async def test_super_resolution_keeps_transparency(kit: Kit) -> None:
    _, body = await kit.post("super-resolution", {"img": _img(mode="RGBA")})

    assert _image(body).mode == "RGBA"
    assert _image(body).getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("route", ["seg", "human-segmentation"])
async def test_segmentation_answers_the_alpha_channel_or_the_person(kit: Kit, route: str) -> None:
    # When
    _, alpha = await kit.post(route, {"img": _img()})
    _, person = await kit.post(route, {"img": _img(), "type": "foreground"})

    # Then
    assert (_image(alpha).mode, _image(alpha).size) == ("L", (40, 20))
    assert (_image(person).mode, _image(person).size) == ("RGBA", (40, 20))
    assert _image(person).getchannel("A").tobytes() == _image(alpha).tobytes()


@pytest.mark.parametrize("route", ["ocr", "lite-ocr"])
async def test_text_is_answered_with_places(kit: Kit, route: str) -> None:
    status, lines = await kit.post(route, {"img": _img()})

    location = {"top": 0, "left": 0, "width": 40, "height": 20}
    assert (status, lines) == (200, [{"words": "simulated", "location": location, "score": 1.0}])


async def test_the_url_wins_over_the_image(kit: Kit, site: Site) -> None:
    # Given
    link = site.serve("/a.bmp", encoded(Image.new("RGB", (10, 30)), "BMP"))

    # When
    status, body = await kit.post("resolution", {"url": link, "img": "no image at all"})

    # Then
    assert status == 200
    assert _image(body).size == (20, 60)


@pytest.mark.parametrize(
    ("route", "body", "field", "problem"),
    [
        ("ocr", {}, "url", "is required: a link to an image, or img with the image as base64"),
        ("ocr", [], "", "must be a JSON object, got []"),
        ("ocr", {"img": 7}, "img", "must be an image as base64, got 7"),
        ("ocr", {"img": "%"}, "img", "must be an image as base64"),
        ("ocr", {"img": "bm8="}, "img", "must be an image of one of the formats JPEG, PNG, BMP"),
        ("ocr", {"url": 7}, "url", "must be an http, https or s3 link to an image, got 7"),
        ("ocr", {"url": "ftp://a/b"}, "url", "must be an http, https or s3 link to an image, got 'ftp://a/b'"),
        ("seg", {"img": _img(), "type": "blur"}, "type", "must be 'alpha' or 'foreground', got 'blur'"),
        ("resolution", {"img": _img(), "scale": 3}, "scale", "must be 2 or 4, got 3"),
        ("resolution", {"img": _img(), "scale": "2"}, "scale", "must be 2 or 4, got '2'"),
        ("resolution", {"img": _img(), "scale": True}, "scale", "must be 2 or 4, got True"),
        ("resolution", {"img": _img(), "face": True}, "face", "must be false: no face model is deployed, got True"),
        ("resolution", {"img": _img(300, 300), "scale": 4}, "scale", "more than 1000000 pixels of 300 x 300"),
        ("seg", {"img": _img(601, 10)}, "img", "longest edge must be at most 600 pixels, got 601 x 10"),
        ("ocr", {"img": _img(10, 601)}, "img", "longest edge must be at most 600 pixels, got 10 x 601"),
        ("ocr", {"img": _img(1001, 1001)}, "img", "must have at most 1000000 pixels, got 1001 x 1001"),
    ],
)
async def test_a_wrong_request_is_400_with_field_and_rule(
    kit: Kit, route: str, body: Any, field: str, problem: str
) -> None:
    # When
    status, answer = await kit.post(route, body)

    # Then
    assert (status, answer["message"], answer["type"]) == (400, "invalid param", "invalid-request")
    assert [one["field"] for one in answer["errors"]] == [field]
    assert problem in answer["errors"][0]["problem"]


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff", b"[" * 100_000])
async def test_what_is_no_json_is_400(kit: Kit, body: bytes) -> None:
    status, answer = await kit.raw("ocr", body)

    assert (status, answer["message"]) == (400, "invalid param")


async def test_a_body_too_large_is_413_in_json(kit: Kit) -> None:
    status, answer = await kit.raw("ocr", bytes(300_000))

    assert (status, answer["type"]) == (413, "http")


async def test_an_unknown_route_is_404_in_json(kit: Kit) -> None:
    assert (await kit.post("face", {}))[0] == 404


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/missing", "its server answered 404"), ("/huge", "it is larger than 100000 bytes")],
)
async def test_a_link_that_gives_no_image_is_400(kit: Kit, site: Site, path: str, problem: str) -> None:
    # Given
    site.serve("/huge", bytes(200_000))

    # When
    status, answer = await kit.post("ocr", {"url": f"{site.url.with_path(path)}?token=secret"})

    # Then
    assert (status, answer["message"]) == (400, "parameter `url` illegal")
    assert problem in answer["errors"][0]["problem"]
    assert "secret" not in str(answer)


async def test_a_linked_file_that_is_no_image_names_the_link_and_not_the_base64(kit: Kit, site: Site) -> None:
    status, answer = await kit.post("ocr", {"url": site.serve("/a", b"no image")})

    assert (status, answer["errors"][0]["field"]) == (400, "url")


async def test_a_server_in_trouble_is_502(kit: Kit, site: Site) -> None:
    # Given
    async def trouble(_: web.Request) -> web.Response:
        return web.Response(status=503)

    # When
    status, answer = await kit.post("ocr", {"url": site.at("/a", trouble)})

    # Then
    assert (status, answer["type"]) == (502, "link-unavailable")


async def test_one_job_at_a_time_and_the_next_is_asked_to_come_again(slow: Kit) -> None:
    # Given
    first = asyncio.create_task(slow.post("resolution", {"img": _img(250, 250), "scale": 4}))
    await slow.working()

    # When
    status, answer = await slow.post("ocr", {"img": _img()})

    # Then
    assert (status, answer["type"]) == (503, "busy")
    first.cancel()


async def test_an_interrupt_stops_the_named_job_only(slow: Kit) -> None:
    # Given
    body = {"img": _img(250, 250), "scale": 4}
    request = asyncio.create_task(slow.post("resolution", body, **{"X-Job-Id": "mine"}))
    state = await slow.working()

    # When
    _, other = await slow.post("interrupt", {"job": "somebody-elses"})
    _, mine = await slow.post("interrupt", {"job": "mine"})

    # Then
    assert state["job"] == "mine"
    assert (other, mine) == ({"stopped": False}, {"stopped": True})
    status, answer = await asyncio.wait_for(request, PATIENCE)
    assert (status, answer["type"]) == (409, "interrupted")
    assert (await slow.post("interrupt", {}))[0] == 400


async def test_a_caller_that_leaves_ends_its_job(slow: Kit) -> None:
    # Given
    request = asyncio.create_task(slow.post("resolution", {"img": _img(250, 250), "scale": 4}))
    await slow.working()

    # When
    request.cancel()

    # Then
    async with asyncio.timeout(PATIENCE):
        while (await slow.health())[1]["job"]:  # noqa: ASYNC110 - the state lies behind HTTP
            await asyncio.sleep(0.02)


async def test_it_is_not_ready_before_its_models_are_loaded() -> None:
    async for kit in _serve(ready=False):
        assert (await kit.health())[0] == 503
        status, answer = await kit.post("ocr", {"img": _img()})
        assert (status, answer["type"]) == (503, "starting")


async def test_a_model_that_fails_is_500_with_its_error(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    def fail(*_: object) -> None:
        raise MemoryError("std::bad_alloc")

    monkeypatch.setattr(SimulatedModels, "read_text", fail)

    # When
    status, answer = await kit.post("ocr", {"img": _img()})

    # Then
    assert (status, answer["type"]) == (500, "failed")
    assert "MemoryError: std::bad_alloc" in answer["message"]
    assert (await kit.post("seg", {"img": _img()}))[0] == 200, "the next one is served"
