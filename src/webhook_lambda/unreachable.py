"""Receivers that did not answer a moment ago."""

import time
from collections.abc import Callable

from yarl import URL

MAX_KEPT = 1000
"""Receivers at once, so that this stays small whatever URLs clients make up."""


class Unreachable:
    """Each is left alone for a while, so that one that is down takes little of the time of all others.

    A receiver is one client's host and port: what a client names is never another's fault.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def add(self, client: str, url: str) -> None:
        now = self._clock()
        if len(self._until) >= MAX_KEPT:
            self._until = {key: until for key, until in self._until.items() if until > now}
        if len(self._until) < MAX_KEPT:
            self._until[_key(client, url)] = now + self._seconds

    def remove(self, client: str, url: str) -> None:
        self._until.pop(_key(client, url), None)

    def __contains__(self, receiver: tuple[str, str]) -> bool:
        """Of ``(client, url)``."""
        return self._until.get(_key(*receiver), 0) > self._clock()


def _key(client: str, url: str) -> tuple[str, str]:
    return client, str(URL(url, encoded=True).origin())
