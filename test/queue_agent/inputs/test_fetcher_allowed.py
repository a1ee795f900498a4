"""What is allowed by address or by name is reached, and nothing else through it."""

from ipaddress import ip_network

import pytest

from test.support.fetching import fetched, refusal
from test.support.web import Site, Wire, a_site
from test.support.world import PNG

from .conftest import NOT_PUBLIC, Resolve


async def test_an_allowed_network_is_reached_by_address_and_by_name(site: Site, resolve: Resolve) -> None:
    # Given
    link = site.serve("/cat.png", PNG)
    resolve("files.internal", ["127.0.0.1"])
    allowed = (ip_network("127.0.0.0/30"),)

    # Then
    assert await fetched(link, networks=allowed) == PNG
    assert await fetched(f"http://files.internal:{site.url.port}/cat.png", networks=allowed) == PNG


async def test_of_several_addresses_of_a_name_only_the_allowed_one_is_reached(inside: Wire, resolve: Resolve) -> None:
    # Given a name for a private and an allowed address
    resolve("files.internal", ["127.0.0.1", "127.0.0.2"])
    async with a_site("127.0.0.2", inside.port) as allowed:
        allowed.serve("/cat.png", PNG)

        # When
        data = await fetched(f"http://files.internal:{inside.port}/cat.png", networks=(ip_network("127.0.0.2/32"),))

    # Then
    assert data == PNG
    assert inside.connections == 0


@pytest.mark.parametrize("host", ["files.internal", "FILES.Internal"])
async def test_an_allowed_name_is_reached_wherever_it_lies(site: Site, resolve: Resolve, host: str) -> None:
    site.serve("/cat.png", PNG)
    resolve("files.internal", ["127.0.0.1"])
    link = f"http://{host}:{site.url.port}/cat.png"
    assert await fetched(link, networks=(), names=frozenset({"files.internal"})) == PNG


@pytest.mark.parametrize("host", ["other.internal", "files.internal.example", "a.files.internal", "files.internal."])
async def test_no_other_name_is_reached_by_an_allowed_one(inside: Wire, resolve: Resolve, host: str) -> None:
    resolve(host, ["127.0.0.1"])
    said = await refusal(f"http://{host}:{inside.port}/", networks=(), names=frozenset({"files.internal"}))
    assert said.endswith(NOT_PUBLIC)
    assert inside.connections == 0


async def test_a_connection_that_was_allowed_by_name_is_not_used_for_the_address(site: Site) -> None:
    # Given a connection that is kept
    site.serve("/cat.png", PNG)
    by_name, by_address = f"http://localhost:{site.url.port}/cat.png", f"http://127.0.0.1:{site.url.port}/cat.png"

    # Then
    said = await refusal(by_name, by_address, networks=(), names=frozenset({"localhost"}))
    assert said == f"could not fetch {by_address}: {NOT_PUBLIC}"


async def test_what_is_allowed_still_never_opens_loopback(inside: Wire, resolve: Resolve) -> None:
    # Given every name and address allowed, as an operator might for a network of their own
    resolve("files.internal", ["127.0.0.1"])
    everything = {
        "networks": (ip_network("0.0.0.0/0"), ip_network("::/0")),
        "names": frozenset({"files.internal", "localhost"}),
        "allow_loopback": False,
    }

    # Then the runtime's own API is not reached
    for host in ("files.internal", "localhost", "127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"):
        assert (await refusal(f"http://{host}:{inside.port}/", **everything)).endswith(NOT_PUBLIC)
    assert inside.connections == 0
