"""The token bucket by which API Gateway throttles."""

from collections.abc import Callable
from time import monotonic


class TokenBucket:
    """Holds ``burst`` tokens at most and gains ``rate`` tokens a second; starts full.

    ``clock`` gives seconds and never goes back.
    """

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()

    def take(self) -> bool:
        """Whether a token was there; it is gone then."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
