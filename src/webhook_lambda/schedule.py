"""When a failed webhook is tried again.

The pause follows from the time since the first try alone, so that no count of tries needs to be kept: SQS also counts
messages as received that were never tried.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

MAX_VISIBILITY = 43_200
"""Seconds, from the receive on, that SQS hides a message at most."""

HANDLING = 300
"""Seconds that may have passed since the receive when the pause is set; more than the function may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Seconds. A pause is ``factor`` times the time since the first try, between ``first`` and ``longest``.

    With these values a webhook is tried 16 times: at once, after 5, 15, 45 s, …, 1, 3, 9 h, then every 12 h. The last
    try is at ``window``. ``jitter`` is the part of a pause that chance adds, so that what failed together comes apart.
    """

    first: float = 5
    factor: float = 2
    longest: float = MAX_VISIBILITY - HANDLING
    window: float = 3 * 86_400
    jitter: float = 0.1

    def pause(
        self, elapsed: float, retry_after: float | None = None, chance: Callable[[], float] = random.random
    ) -> float | None:
        """Seconds until the next try, ``elapsed`` seconds after the first one; None when there is none.

        What the receiver asks for with Retry-After only makes a pause longer.
        """
        left = self.window - elapsed
        if left <= 0:
            return None
        planned = max(self.first, self.factor * elapsed, retry_after or 0)
        pause = min(planned * (1 + self.jitter * chance()), self.longest)
        return max(self.first, min(pause, left))
