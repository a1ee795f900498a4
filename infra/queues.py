"""A queue of the topology, as plain data."""

from dataclasses import dataclass

from infra.config.model import SQS_RETENTION_DAYS

DAY = 86_400

MAX_RECEIVE_COUNT = 100
"""SQS's own redrive is only the net below the agent. Messages that are handed back unstarted (Spot notices, runtimes
that are not ready) count as received too, so the net hangs far below what the agent tolerates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """An SQS queue. ``visibility`` and ``retention`` in seconds; ``dead_letters`` is the name of the queue that takes
    what was received more than ``max_receives`` times."""

    name: str
    visibility: int
    retention: int = SQS_RETENTION_DAYS * DAY
    dead_letters: str | None = None
    max_receives: int = MAX_RECEIVE_COUNT
