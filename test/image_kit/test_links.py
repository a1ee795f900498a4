"""Links reach public addresses and what is allowed, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from aiohttp import web

from image_kit.errors import BadLink, KitError, LinkUnavailable
from image_kit.links import MAX_REDIRECTS, Links, Reach
from test.support.aws import REGION
from test.support.web import Site, a_site

OPEN = Reach(max_bytes=1000, seconds=10, networks=(ip_network("127.0.0.0/8"),), allow_loopback=True)
CLOSED = Reach(max_bytes=1000, seconds=10)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


async def _fetch(link: str, reach: Reach = OPEN) -> bytes:
    async with Links(reach, REGION) as links:
        return await links.fetch(link)


async def _fault(link: str, reach: Reach = OPEN) -> tuple[type[KitError], str]:
    with pytest.raises(KitError) as caught:
        await _fetch(link, reach)
    error = caught.value
    return type(error), "; ".join(one.problem for one in error.problems) or error.message


async def test_a_file_is_fetched_also_behind_redirects(site: Site) -> None:
    site.serve("/a", b"image")
    site.redirect("/b", "/a")

    assert await _fetch(site.redirect("/c", "b")) == b"image"


async def test_endless_redirects_end(site: Site) -> None:
    kind, said = await _fault(site.redirect("/a", "/a"))

    assert (kind, f"more than {MAX_REDIRECTS} times" in said) == (BadLink, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_loopback_is_refused_however_it_is_spelled(site: Site, host: str) -> None:
    # When
    kind, _ = await _fault(f"http://{host}:{site.url.port}/a", CLOSED)

    # Then
    assert issubclass(kind, KitError)
    assert not site.requests


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00:ec2::254]"])
async def test_private_addresses_are_refused_unseen(host: str) -> None:
    kind, said = await _fault(f"http://{host}/latest/meta-data", CLOSED)

    assert (kind, "not public" in said) == (BadLink, True)


async def test_a_redirect_to_a_private_address_is_refused(site: Site) -> None:
    kind, said = await _fault(site.redirect("/a", "http://169.254.169.254/latest"))

    assert (kind, "not public" in said) == (BadLink, True)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://[bad"])
async def test_a_redirect_elsewhere_is_refused(site: Site, location: str) -> None:
    kind, _ = await _fault(site.redirect("/a", location))

    assert kind is BadLink


async def test_a_slow_server_is_unavailable(site: Site) -> None:
    # Given
    async def wait(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    reach = Reach(max_bytes=1000, seconds=0.2, networks=OPEN.networks, allow_loopback=True)

    # When
    kind, said = await _fault(site.at("/a", wait), reach)

    # Then
    assert (kind, "within 0.2 s" in said) == (LinkUnavailable, True)


async def test_a_closed_port_is_unavailable(unused_tcp_port: int) -> None:
    kind, _ = await _fault(f"http://127.0.0.1:{unused_tcp_port}/a")

    assert kind is LinkUnavailable


async def test_a_bucket_that_is_not_named_is_refused() -> None:
    kind, said = await _fault("s3://theirs/a.png")

    assert (kind, "one of these buckets: none" in said) == (BadLink, True)
