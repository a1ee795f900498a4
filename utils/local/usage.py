"""API keys and their usage plans, as API Gateway counts them: requests a second, at once, and a day."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from utils.local.throttle import TokenBucket

DAY = 86_400
"""Seconds. A quota's day begins at midnight UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key and what it allows: ``rate`` in requests a second, ``burst`` and ``daily_quota`` in requests (None: any
    number). ``id`` is no secret; ``value`` is."""

    value: str = field(repr=False)
    id: str = "local"
    rate: float
    burst: int
    daily_quota: int | None = None


class OverLimit(Exception):
    """The key has no request left. The text says until when."""


class Usage:
    """What one key has used, since this process began."""

    def __init__(self, key: ApiKey, clock: Callable[[], float] = time.time) -> None:
        """``clock`` gives seconds since the epoch."""
        self.key = key
        self._bucket = TokenBucket(rate=key.rate, burst=key.burst)
        self._clock = clock
        self._day = 0
        self._requests = 0

    def take(self) -> None:
        """Count one request. Raises OverLimit when it is one too many, for this moment or for this day (UTC)."""
        today = int(self._clock() // DAY)
        if today != self._day:
            self._day, self._requests = today, 0
        if self.key.daily_quota is not None and self._requests >= self.key.daily_quota:
            raise OverLimit("Limit Exceeded: the client has sent its requests of this day (UTC); try again tomorrow")
        if not self._bucket.take():
            raise OverLimit("too many requests; send them more slowly")
        self._requests += 1
