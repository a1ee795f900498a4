"""Which addresses links may reach."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.address_guard import ForbiddenAddress, guarded, is_public

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12:3456::1"),
    # metadata and task credentials of clouds
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23", "100.100.100.200"),
    *("192.0.0.192", "169.254.0.1", "fe80::1"),
    # of nobody, or of everybody
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "ff02::1", "ff0e::1", "fec0::1"),
    *("192.0.0.8", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1"),
    *("2001:db8::1", "3fff::1", "100::1", "5f00::1", "2001:20::1", "4000::1"),
]
"""A stranger's link has nothing to look for there."""

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "52.94.236.248",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::64",
]

V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)


def mapped(inner: IPv4Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{inner}")


def nat64(inner: IPv4Address) -> IPv6Address:
    return IPv6Address(f"64:ff9b::{inner}")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_or_special_address_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(V4)
def test_an_ipv4_address_inside_of_an_ipv6_one_counts_as_itself(inner: IPv4Address) -> None:
    assert is_public(mapped(inner)) == is_public(inner)
    assert is_public(nat64(inner)) == is_public(inner)


@pytest.mark.parametrize("address", [address for address in PRIVATE if "." in address])
def test_a_private_address_stays_private_however_it_is_wrapped(address: str) -> None:
    inner = IPv4Address(address)
    wrapped = [
        mapped(inner),
        nat64(inner),
        IPv6Address(f"::{inner}"),
        IPv6Address(f"::ffff:0:{inner}"),
        IPv6Address(f"64:ff9b:1::{inner}"),
        IPv6Address(int(IPv6Address("2002::")) | int(inner) << 80),
        IPv6Address(int(IPv6Address("2001::")) | int(inner) ^ 0xFFFFFFFF),
        IPv6Address(int(IPv6Address("2001::")) | int(inner) << 64),
    ]
    assert [str(address) for address in wrapped if is_public(address)] == []


@given(
    V4.map(lambda inner: IPv6Address(int(IPv6Address("2002::")) | int(inner) << 80))
    | st.ip_addresses(network="2001::/32")
)
def test_tunnels_of_old_are_never_public(address: IPv6Address) -> None:
    """6to4 and Teredo carry IPv4 addresses, and no server has lived there for years."""
    assert not is_public(address)


@given(V4 | V6)
def test_nothing_that_python_calls_private_is_public(address: IPv4Address | IPv6Address) -> None:
    if address.is_private and not getattr(address, "ipv4_mapped", None):
        assert not is_public(address)


def info(address: str) -> tuple[object, ...]:
    """As getaddrinfo tells of an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = (address, 80, 0, 0) if family is socket.AF_INET6 else (address, 80)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


@pytest.mark.parametrize("address", [*PRIVATE, "::ffff:127.0.0.1", "::1%lo", "fe80::1%eth0", "::ffff:169.254.169.254"])
def test_no_socket_is_made_for_a_private_address(address: str) -> None:
    with pytest.raises(ForbiddenAddress):
        guarded(())(info(address))


def test_the_refusal_does_not_tell_what_a_name_resolves_to() -> None:
    with pytest.raises(ForbiddenAddress) as caught:
        guarded(())(info("10.11.12.13"))
    assert "10.11.12.13" not in str(caught.value)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_socket_for_a_public_address_is_what_was_asked_for(address: str) -> None:
    with guarded(())(info(address)) as made:
        assert made.family == (socket.AF_INET6 if ":" in address else socket.AF_INET)
        assert made.type == socket.SOCK_STREAM


EVERYTHING = [ip_network("0.0.0.0/0"), ip_network("::/0")]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
CREDENTIALS = [
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"),
    *("fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
]


@pytest.mark.parametrize("address", [*LOOPBACK, *CREDENTIALS])
def test_loopback_and_whoever_gives_credentials_away_are_refused_whatever_is_allowed(address: str) -> None:
    with pytest.raises(ForbiddenAddress):
        guarded(EVERYTHING)(info(address))


def test_the_platform_on_one_machine_may_allow_loopback_and_nothing_more() -> None:
    make = guarded([ip_network("127.0.0.0/8"), ip_network("169.254.0.0/16")], allow_loopback=True)
    make(info("127.0.0.1")).close()
    for address in (*CREDENTIALS, "10.0.0.1"):
        with pytest.raises(ForbiddenAddress):
            make(info(address))


def test_an_allowed_network_may_be_reached_and_no_other() -> None:
    make = guarded(iter([ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]))
    for address in ("fd00:1::2", "10.1.2.3"):
        make(info(address)).close()
    for address in ("10.2.0.1", "fd00:2::1", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(ForbiddenAddress):
            make(info(address))
