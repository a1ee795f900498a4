"""``clients`` of config.yaml: the applications that share the API, and how they stay apart."""

from collections.abc import Iterator
from itertools import combinations
from typing import Annotated

from pydantic import Field

from contract.object_keys import is_below
from infra.config.section import Section
from infra.config.types import ClientName, Folder, Many, NotEmpty, RuntimeName

MAX_REQUESTS = 10_000
MAX_BURST = 5_000
"""What API Gateway allows an account: requests a second, and at once."""

MAX_DAILY_QUOTA = 2**31 - 1
"""API Gateway counts with 32 bits."""


class ClientThrottle(Section):
    """A client's own usage plan; what is absent is that of ``APIGW.throttle``."""

    rate_limit: float | None = Field(default=None, gt=0, le=MAX_REQUESTS)
    burst_limit: int | None = Field(default=None, ge=1, le=MAX_BURST)


class Client(Section):
    """An application with an API key of its own.

    ``daily_quota``: requests a day (UTC); absent: no limit. ``runtimes``: names of those that it may use. ``prefixes``:
    folders of the output bucket that are its own. Empty: all.
    """

    name: ClientName
    throttle: ClientThrottle = ClientThrottle()
    daily_quota: int | None = Field(default=None, ge=1, le=MAX_DAILY_QUOTA)
    runtimes: Annotated[tuple[RuntimeName, ...], Many, NotEmpty] = ()
    prefixes: Annotated[tuple[Folder, ...], Many, NotEmpty] = ()


def shared_folders(clients: tuple[Client, ...]) -> Iterator[tuple[str, str]]:
    """The path of a key, and why two clients are not apart."""
    if len(clients) < 2:  # noqa: PLR2004 - one is alone
        return
    for number, client in enumerate(clients):
        if not client.prefixes:
            yield f"clients[{number}].prefixes", f"is not set, so {client.name} can read what every client stores"
    for one, other in combinations(clients, 2):
        for folder in sorted(_shared(one.prefixes, other.prefixes)):
            yield "clients", f"{one.name} and {other.name} can read what the other stores below {folder!r}"


def _shared(ours: tuple[str, ...], theirs: tuple[str, ...]) -> set[str]:
    pairs = {(mine, yours) for mine in ours for yours in theirs}
    return {mine for mine, yours in pairs if is_below(mine, yours)} | {
        yours for mine, yours in pairs if is_below(yours, mine)
    }
