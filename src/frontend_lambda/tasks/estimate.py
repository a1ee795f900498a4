"""How long a task will wait, from what its queue and the runtime's pods say. All are estimates.

SQS tells how many messages wait, and not where one is among them. Pods report when the newest message that they took
was sent; messages are taken roughly in the order in which they were sent. A task remembers how many were sent between
that time and its own, so its place follows from how far the pods have come since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contract.task_table.item import Position, State, TaskItem
from contract.task_table.pods import STALE_SECONDS, PodItem
from contract.task_table.view import Waiting

MIN_RETRY, MAX_RETRY = 1, 60
"""Seconds of Retry-After."""

USUAL_RETRY = 5
"""Seconds, where nothing is known."""

SAME_TIME = 1.0
"""Seconds. Of tasks that were sent together, as an array is, times do not say which is before which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A runtime's queue and pods at ``now`` (epoch seconds). ``waiting`` messages are in the queue, ``taken`` are with
    the pods; None where SQS did not answer. ``pods`` may hold some that are gone."""

    now: float
    waiting: int | None
    taken: int = 0
    pods: Sequence[PodItem] = ()

    @property
    def present(self) -> list[PodItem]:
        return [pod for pod in self.pods if self.now - pod.at <= STALE_SECONDS]

    @property
    def ready(self) -> list[PodItem]:
        return [pod for pod in self.present if pod.ready]

    @property
    def mean_seconds(self) -> float | None:
        """Of a run, over the ready pods that had one."""
        means = [pod.mean_seconds for pod in self.ready if pod.mean_seconds]
        return sum(means) / len(means) if means else None

    @property
    def rate(self) -> float | None:
        """Tasks a second that the ready pods run; None where no pod has run one."""
        mean = self.mean_seconds
        return sum(1 / (pod.mean_seconds or mean) for pod in self.ready) if mean else None

    @property
    def prefetched(self) -> int:
        """Tasks that pods have taken and do not run yet."""
        return max(0, self.taken - len(self.ready))

    @property
    def idle(self) -> bool:
        """Whether a ready pod has nothing to do."""
        return self.waiting == 0 and (self.taken < len(self.ready))

    def newest(self) -> tuple[float, float] | None:
        """When the newest message was sent that a pod took, and how many seconds ago it said so."""
        reports = [(pod.newest, self.now - pod.at) for pod in self.present if pod.newest is not None]
        return max(reports, key=lambda report: report[0], default=None)


def position(load: Load) -> Position | None:
    """Where a task is that is sent now; None where the queue's length is not known."""
    if load.waiting is None:
        return None
    newest = load.newest()
    if newest is None:
        return Position(tasks=load.waiting)
    since, age = newest
    return Position(tasks=load.waiting + _taken_in(age, load), since=since)


def waiting(item: TaskItem, load: Load) -> Waiting:
    """Why a queued task waits, and for how long."""
    if item.retry:
        return Waiting(waiting_for="retry")
    return _waiting(tasks_ahead(item, load), load)


def waiting_of_new(load: Load) -> Waiting:
    """The same for a task that would be sent now."""
    return _waiting(None if load.waiting is None else load.waiting + load.prefetched, load)


def _waiting(ahead: int | None, load: Load) -> Waiting:
    if not load.ready:
        return Waiting(waiting_for="pod", ahead=ahead)
    if ahead is None or load.rate is None:
        return Waiting(waiting_for="turn", ahead=ahead)
    if ahead == 0 and load.idle:
        return Waiting(waiting_for="turn", ahead=0, start_in=0.0)
    pods = len(load.ready)
    first = pods / (pods + 1)  # of so many runs that began at any time, the first ends after this part of their rhythm
    return Waiting(waiting_for="turn", ahead=ahead, start_in=(ahead + first) / load.rate)


def tasks_ahead(item: TaskItem, load: Load) -> int | None:
    """How many tasks of the runtime will run before ``item``."""
    if load.waiting is None:
        return None
    others = max(0, load.waiting - 1)
    return min(others, _queued_before(item, load, others)) + load.prefetched


def _queued_before(item: TaskItem, load: Load, others: int) -> int:
    newest = load.newest()
    place = item.position
    if newest is None:
        return place.tasks if place else others
    taken_until, age = newest
    sent = epoch(item.created)
    if taken_until >= sent:
        if place is None or taken_until - sent > SAME_TIME:
            return 0
        return max(0, place.tasks - _taken_in(load.now - sent, load))
    if place is None:
        place = Position(tasks=others, since=taken_until)
        sent_until = load.now
    else:
        sent_until = sent
    begin = taken_until if place.since is None else min(place.since, taken_until)
    share = (sent - taken_until) / max(sent_until - begin, 1e-3)
    return max(0, round(place.tasks * min(1.0, share)) - _taken_in(age, load))


def retry_after(item: TaskItem, load: Load, queued: Waiting | None) -> int:
    """Seconds until it is worth asking again after a task that has not ended."""
    seconds: float | None = None
    mean = load.mean_seconds
    if item.status is State.QUEUED:
        seconds = queued.start_in if queued else None
    elif mean is not None and item.started:
        seconds = mean - (load.now - epoch(item.started))
    return USUAL_RETRY if seconds is None else min(MAX_RETRY, max(MIN_RETRY, round(seconds)))


def epoch(time: str) -> float:
    """Epoch seconds of a time as ``item.timestamp`` writes it."""
    return datetime.fromisoformat(time).timestamp()


def _taken_in(seconds: float, load: Load) -> int:
    return round(seconds * (load.rate or 0.0))
