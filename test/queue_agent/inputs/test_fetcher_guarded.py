"""Untrusted links reach public addresses and what is allowed, and nothing else: seen from the servers they aim at."""

import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from queue_agent.inputs.fetcher import TRIES
from test.support.fetching import fetched, refusal, unavailable
from test.support.web import Site, Wire, a_site, self_signed
from test.support.world import PNG

from .conftest import NOT_PUBLIC, Resolve

NOT_A_URL = "it is not a valid URL"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0x7f.0.0.1",
            "017700000001",
            "0177.0.0.1",
        ),
        *("0", "0.0.0.0", "127.8.8.8", "localhost", "LOCALHOST", "127.0.0.1."),
        *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
        *(
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::127.0.0.1]",
            "[2002:7f00:1::]",
            "[2001::80ff:fffe]",
            "[::ffff:0:127.0.0.1]",
        ),
        *("127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", "user:pass@127.0.0.1"),
    ],
)
async def test_loopback_is_refused_however_it_is_spelled_and_sees_no_connection(inside: Wire, host: str) -> None:
    # When
    said = await refusal(f"http://{host}:{inside.port}/latest/meta-data", networks=())

    # Then
    assert said.endswith((NOT_PUBLIC, NOT_A_URL))
    assert inside.connections == 0


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://169.254.170.2/v2/credentials/x",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://[::ffff:169.254.169.254]/latest/meta-data/",
        "http://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
        "http://10.0.0.1/",
        "https://192.168.0.1/",
        "http://172.20.0.10:6443/",
        "http://100.64.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ],
)
async def test_metadata_services_and_private_networks_are_refused(link: str) -> None:
    assert (await refusal(link, networks=())).endswith(NOT_PUBLIC)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["10.0.0.1", "169.254.169.254"]])
async def test_a_public_name_for_private_addresses_is_refused(
    inside: Wire, resolve: Resolve, addresses: list[str]
) -> None:
    # Given
    resolve("innocent.example", addresses)

    # Then
    said = await refusal(f"http://innocent.example:{inside.port}/", networks=())
    assert said == f"could not fetch http://innocent.example:{inside.port}/: {NOT_PUBLIC}"
    assert inside.connections == 0


async def test_a_name_that_turns_private_between_two_looks_is_refused(
    site: Site, inside: Wire, resolve: Resolve
) -> None:
    """DNS rebinding: what counts is the address that is connected to, not one that was looked at before."""
    # Given a name that is harmless at first
    resolve("rebind.example", ["127.0.0.1"])
    resolve("rebind.example", ["127.0.0.2"])
    site.redirect("/a", f"http://rebind.example:{inside.port}/")

    # When
    said = await refusal(f"http://rebind.example:{site.url.port}/a", networks=(ip_network("127.0.0.1/32"),))

    # Then
    assert said.endswith(NOT_PUBLIC)
    assert site.asked("/a") == 1
    assert inside.connections == 0


async def test_a_redirect_from_an_allowed_host_to_a_private_address_is_refused(inside: Wire) -> None:
    # Given an allowed network, and a server in it that sends elsewhere
    async with a_site("127.0.0.2") as allowed:
        link = allowed.redirect("/a", f"http://127.0.0.1:{inside.port}/latest/meta-data")

        # Then
        assert (await refusal(link, networks=(ip_network("127.0.0.2/32"),))).endswith(NOT_PUBLIC)
        assert allowed.asked("/a") == 1
        assert inside.connections == 0


async def test_a_redirect_from_an_allowed_name_to_a_private_address_is_refused(site: Site, inside: Wire) -> None:
    # Given
    site.redirect("/a", f"http://127.0.0.1:{inside.port}/")
    link = f"http://localhost:{site.url.port}/a"

    # Then
    assert (await refusal(link, networks=(), names=frozenset({"localhost"}))).endswith(NOT_PUBLIC)
    assert site.asked("/a") == 1
    assert inside.connections == 0


@pytest.mark.parametrize(
    "location", ["//127.0.0.1:{port}/", "http://0x7f.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/"]
)
async def test_a_redirect_to_a_disguised_private_address_is_refused(inside: Wire, location: str) -> None:
    async with a_site("127.0.0.2") as allowed:
        link = allowed.redirect("/a", location.format(port=inside.port))
        said = await refusal(link, networks=(ip_network("127.0.0.2/32"),))
    assert said.endswith((NOT_PUBLIC, NOT_A_URL))
    assert inside.connections == 0


async def test_a_resolver_without_an_answer_is_not_the_callers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a node whose resolver times out, twice
    real, asked = socket.getaddrinfo, 0

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> list[Any]:
        nonlocal asked
        if host == "files.example":
            asked += 1
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    # Then the task is worth another try, elsewhere
    said = await unavailable("http://files.example/cat.png?sig=SECRET")
    assert said.startswith("could not fetch http://files.example/cat.png: ClientConnectorDNSError")
    assert "Temporary failure in name resolution" in said
    assert "SECRET" not in said
    assert asked == TRIES


async def test_an_unknown_name_is_told_as_such(resolve: Resolve) -> None:
    resolve("nowhere.example", [])
    said = await refusal("http://nowhere.example/cat.png?sig=SECRET")
    assert said.startswith("could not fetch http://nowhere.example/cat.png: ClientConnectorDNSError")
    assert "Name or service not known" in said
    assert "SECRET" not in said


async def test_a_link_is_not_fetched_without_a_valid_certificate(tmp_path: Path) -> None:
    async with a_site(tls=self_signed(tmp_path, "files.example")) as forged:
        link = forged.serve("/cat.png", PNG)
        said = await unavailable(f"{link}?sig=SECRET")
        assert said.startswith(f"could not fetch {link}: ClientConnectorCertificateError")
        assert "self-signed certificate" in said
        assert "SECRET" not in said
        assert forged.requests == []


async def test_credentials_of_a_link_go_to_its_own_host_only(site: Site) -> None:
    # Given
    async with a_site("127.0.0.2") as other:
        target = other.serve("/cat.png", PNG)
        site.redirect("/a", target)

        # When
        await fetched(f"http://user:SECRET@127.0.0.1:{site.url.port}/a")

        # Then
        assert [request.headers["Authorization"].split()[0] for request in site.requests] == ["Basic"]
        assert [request.headers.get("Authorization") for request in other.requests] == [None]
