"""How long the task API waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimings:
    """Seconds. ``wait`` is the longest that ``Prefer: wait`` gets, ``poll`` the time between two looks at a task
    meanwhile. A request takes less than ``total`` altogether; API Gateway waits for 29 s, cold starts included.

    The first repeat of a task that waits publishes its message again: the first request may have ended between the
    table and SNS, or may still wait for an SNS that does not answer, and a repeat promises the task to its client.
    Other repeats wait for it, and take over from one that began ``republish`` ago, by which time it has ended.
    ``skip_table`` is for how long the older routes go without the table once it did not answer. ``keep_load`` is how
    old an estimate's basis may be: pods report every ten seconds, so fresher figures would say little more.
    """

    wait: float = 20.0
    poll: float = 0.5
    total: float = 25.0
    republish: float = 30.0
    skip_table: float = 10.0
    keep_load: float = 2.0
