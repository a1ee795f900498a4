"""Keeps untrusted links from reaching private addresses: checked on the address that is really connected to."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
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


LOOPBACK = tuple(ip_network(network) for network in ("127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"))
"""The pod itself, the runtime included; the unspecified addresses reach it, too."""

FORBIDDEN = tuple(ip_network(network) for network in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"))
"""Link-local addresses and Amazon's services for an instance or a pod: its metadata (IMDS) and credentials (Pod
Identity, ECS). Source: "Configure the Instance Metadata Service", "EKS Pod Identity" in AWS's documentation."""


class ForbiddenAddress(OSError):
    """The address is not public and not allowed. It is not shown, since it says what an internal name resolves to."""

    def __init__(self) -> None:
        super().__init__("the address is not public")


def guarded(networks: Iterable[Network], *, allow_loopback: bool = False) -> SocketFactory:
    """A socket factory, as aiohttp's connector calls it for each address that it is about to connect to.

    It raises ForbiddenAddress for every address that is neither public nor in ``networks``, for those that give
    credentials away even if they are, and for loopback unless that is allowed, too.
    """
    allowed = tuple(networks)
    forbidden = FORBIDDEN if allow_loopback else (*FORBIDDEN, *LOOPBACK)

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        address = _effective(ip_address(where[0]))
        if _within(address, forbidden) or not (is_public(address) or _within(ip_address(where[0]), allowed)):
            raise ForbiddenAddress
        return socket.socket(family, kind, protocol)

    return make


def is_public(address: Address) -> bool:
    """Whether the address is one of the public internet; one that carries an IPv4 address is as public as that."""
    address = _effective(address)
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    return address.is_global and not address.is_multicast and not _within(address, SPECIAL)


def _effective(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    carried = IPv4Address(int(address) & LAST_32_BITS) if address in NAT64 else address.ipv4_mapped
    return carried or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
