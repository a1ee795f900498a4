"""A task between its stages: prepared, completed, failed."""

import time
from dataclasses import dataclass, field

from queue_agent.outcome.delivery import Delivery
from queue_agent.processing.tracking import Tracking
from queue_agent.runtimes.base import PreparedJob, Result


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task that could start at once."""

    delivery: Delivery
    job: PreparedJob
    job_ref: str | None = None
    """The runtime's id of the job when it is there already, begun by a predecessor of this process."""
    since: float = field(default_factory=time.time)
    """Wall clock, in seconds."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A run that gave a result, after ``seconds`` on the runtime without what it waited for another client's job.
    ``delivery`` counts it."""

    delivery: Delivery
    result: Result
    seconds: float
    tracking: Tracking


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that gave none. ``delivery`` counts it. ``error`` decides what becomes of the task, ``raised`` is what the
    runtime's adapter raised. ``tracking`` is None when the run was not even begun."""

    delivery: Delivery
    error: Exception
    raised: Exception
    tracking: Tracking | None = None
