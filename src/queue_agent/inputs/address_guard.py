"""Keeps links of strangers from reaching private addresses: checked on the address that is really connected to."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

from queue_agent.settings import Network

Address: TypeAlias = IPv4Address | IPv6Address
SocketFactory: TypeAlias = Callable[[tuple[Any, ...]], socket.socket]

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv6-only network reaches IPv4 through these, private IPv4 included."""

LAST_32_BITS = 0xFFFF_FFFF

UNICAST = IPv6Network("2000::/3")
"""All that IANA gives to hosts of the internet; the rest of IPv6 is for special use, or nobody's yet."""

SPECIAL = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments, metadata services of clouds among them
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocol assignments; Teredo carries IPv4 addresses
        "2002::/16",  # 6to4 carries IPv4 addresses
        "3fff::/20",  # documentation
    )
)
"""From IANA's registries of special-purpose addresses; versions of Python differ on whether these are global."""


class ForbiddenAddress(OSError):
    """The address is not public and not allowed. It is not told, since it says what a name of the inside stands for."""

    def __init__(self) -> None:
        super().__init__("the address is not public")


def guarded(networks: Iterable[Network]) -> SocketFactory:
    """A socket factory, as aiohttp's connector calls it for each address that it is about to connect to.

    It raises ForbiddenAddress for every address that is neither public nor in ``networks``.
    """
    allowed = tuple(networks)

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        address = ip_address(where[0])
        if not is_public(address) and not any(address in network for network in allowed):
            raise ForbiddenAddress
        return socket.socket(family, kind, protocol)

    return make


def is_public(address: Address) -> bool:
    """Whether the address is one of the public internet; one that carries an IPv4 address is as public as that."""
    if isinstance(address, IPv6Address):
        inner = _carried(address)
        if inner is not None:
            return is_public(inner)
        if address not in UNICAST:
            return False
    special = address.is_multicast or any(address in network for network in SPECIAL)
    return address.is_global and not special


def _carried(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & LAST_32_BITS) if address in NAT64 else address.ipv4_mapped
