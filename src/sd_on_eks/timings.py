"""How long the client waits for what."""

from dataclasses import dataclass

WAIT_SECONDS = 1800.0
"""How long a task is waited for by default: a new GPU node may need ten minutes before the run begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds.

    ``connect``: until there is a connection. ``answer``: until the next part of an answer, more than the 29 s that API
    Gateway gives its function. ``hold``: for how long the API is asked to hold a request until the task changes; it
    holds one for 20 s at most. ``retry_for``: how long a request is tried again after failures that may pass;
    ``first_pause`` and ``longest_pause`` bound the pauses between its tries, which double.
    ``poll``: between two looks at a task where the API does not hold requests.
    """

    connect: float = 10.0
    answer: float = 35.0
    hold: int = 20
    retry_for: float = 60.0
    first_pause: float = 0.25
    longest_pause: float = 8.0
    poll: float = 2.0
