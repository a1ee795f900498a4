"""Kinds of environment variables that several programs read."""

import re
from ipaddress import ip_network
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator

_HOST = re.compile(r"[\w.-]+")


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _link_host(value: str) -> str:
    if not _HOST.fullmatch(value):
        try:
            ip_network(value)
        except ValueError:
            raise ValueError("must be a host name, an address or a network such as 10.1.0.0/16") from None
    return value


Listed: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Texts with commas between."""

LinkHosts: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(_link_host)], ...], BeforeValidator(_listed)]
"""Host names, addresses and networks (CIDR) with commas between."""
