"""When to take the next message: shortly before the runtime needs it, from what runs and preparations took so far."""

from dataclasses import dataclass

GAIN = 0.25
"""Weight of the newest observation, as TCP's round-trip estimate takes it (RFC 6298): a few tasks, not one, set it."""

DEVIATIONS = 4.0
"""Distance from the mean that an estimate keeps (RFC 6298): being early costs a little, being late idles the GPU."""

MARGIN_SECONDS = 0.02
"""Slack for the event loop itself."""

SURE_PROGRESS = 0.05
"""Below this share a runtime's progress says too little to reckon with."""


@dataclass(slots=True)
class Average:
    """A moving mean with its mean deviation, in seconds. ``mean`` is None before the first observation."""

    mean: float | None = None
    deviation: float = 0.0

    def add(self, seconds: float) -> None:
        if self.mean is None:
            self.mean, self.deviation = seconds, seconds / 2
            return
        self.deviation += GAIN * (abs(seconds - self.mean) - self.deviation)
        self.mean += GAIN * (seconds - self.mean)


class Prefetch:
    """Learns how long runs and preparations (receive and fetch) take."""

    def __init__(self) -> None:
        self.run = Average()
        self.preparation = Average()

    def wait(self, elapsed: float, progress: float | None) -> float | None:
        """Seconds from now until the next message should be taken, when a run began ``elapsed`` seconds ago and the
        runtime says it is ``progress`` (0..1) done. None when nothing is known yet; 0 when it is time."""
        remaining = self._remaining(elapsed, progress)
        if remaining is None:
            return None
        ahead = (self.preparation.mean or 0.0) + DEVIATIONS * self.preparation.deviation + MARGIN_SECONDS
        return max(0.0, remaining - ahead)

    def _remaining(self, elapsed: float, progress: float | None) -> float | None:
        usual = None
        if self.run.mean is not None:
            usual = max(0.0, self.run.mean - DEVIATIONS * self.run.deviation - elapsed)
        if progress is None or progress < SURE_PROGRESS:
            return usual
        told = max(0.0, elapsed / progress - elapsed)
        return min(told, usual) if usual else told
