"""Redirects are followed, up to a number and only over HTTP."""

import pytest
from aiohttp import web

from queue_agent.inputs.http_source import MAX_REDIRECTS
from test.support.fetching import fetched, refusal
from test.support.web import Site
from test.support.world import PNG


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(site: Site, status: int) -> None:
    target = site.serve("/cat.png", PNG)
    assert await fetched(site.redirect("/old", target, status)) == PNG
    assert await fetched(site.redirect("/relative", "cat.png", status)) == PNG
    assert await fetched(site.redirect("/absolute", "/cat.png?x=1#y", status)) == PNG


async def test_only_so_many_redirects_are_followed(site: Site) -> None:
    # Given
    site.serve(f"/{MAX_REDIRECTS}", PNG)
    for number in range(MAX_REDIRECTS):
        site.redirect(f"/{number}", f"/{number + 1}")
    one_too_many = site.redirect("/start", "/0")

    # Then
    assert await fetched(str(site.url / "0")) == PNG
    assert await refusal(one_too_many) == f"could not fetch {one_too_many}: it redirects more than 5 times"


async def test_a_redirect_in_a_circle_ends(site: Site) -> None:
    assert "redirects more than" in await refusal(site.redirect("/a", "/a"))
    assert site.asked("/a") == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "s3://bucket/key", "ftp://127.0.0.1/a", "data:image/png;base64,AAAA", "gopher://a"],
)
async def test_a_redirect_to_anything_but_http_is_not_followed(site: Site, location: str) -> None:
    link = site.redirect("/a", location)
    scheme = location.partition(":")[0]
    assert await refusal(link) == f"could not fetch {link}: it redirects to {scheme}:, which is not followed"


@pytest.mark.parametrize("location", ["http://[::1", "http://a:99999/", "http://xn--/", "http://:80/"])
async def test_a_redirect_to_what_is_no_url_is_told(site: Site, location: str) -> None:
    link = site.redirect("/a", location)
    said = await refusal(link)
    assert said in {
        f"could not fetch {link}: it redirects to something that is not a URL",
        f"could not fetch {link}: it is not a valid URL",
    }


async def test_a_redirect_without_a_place_is_told(site: Site) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302)

    assert (await refusal(site.at("/a", answer))).endswith("its server answered 302")
