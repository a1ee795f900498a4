"""When to take the next message while a task runs: as late as its preparation allows, so that an idle pod gets it."""

from dataclasses import dataclass

GAIN = 0.25
"""Weight of the newest observation, as TCP's round-trip estimate takes it (RFC 6298): a few tasks, not one, set it."""

DEVIATIONS = 4.0
"""Distance from the mean that an estimate keeps (RFC 6298): being early costs a little, being late idles the GPU."""

MARGIN_SECONDS = 0.02
"""Slack for the event loop itself."""

MAX_AHEAD_SECONDS = 2.0
"""No message waits longer than this behind a running task, however long its preparation takes: another pod may be idle.
What is prepared late idles this GPU for once; what is taken early idles another one and keeps its caller waiting."""

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

    @property
    def spread(self) -> float:
        """How far the next observation may lie from the mean."""
        return DEVIATIONS * self.deviation


class Prefetch:
    """Learns how long runs and preparations (receive and fetch) take."""

    def __init__(self) -> None:
        self.run = Average()
        self.preparation = Average()

    def wait(self, elapsed: float, progress: float | None) -> float | None:
        """Seconds from now until the next message should be taken, when a run began ``elapsed`` seconds ago and the
        runtime says it is ``progress`` (0..1) done; 0 when it is time. None when its end is not known well enough: the
        message is then taken at the end."""
        remaining = self._remaining(elapsed, progress)
        return None if remaining is None else max(0.0, remaining - self._ahead())

    def _ahead(self) -> float:
        needed = (self.preparation.mean or 0.0) + self.preparation.spread + MARGIN_SECONDS
        return min(needed, MAX_AHEAD_SECONDS)

    def _remaining(self, elapsed: float, progress: float | None) -> float | None:
        """By the runtime's own progress where it is known, else by earlier runs if these were alike."""
        if progress is not None and progress >= SURE_PROGRESS:
            return max(0.0, elapsed / progress - elapsed)
        if self.run.mean is None or self.run.spread + self._ahead() > MAX_AHEAD_SECONDS:
            return None
        earliest = self.run.mean - self.run.spread - elapsed
        return max(0.0, earliest) if elapsed <= self.run.mean + self.run.spread else None
