"""How far estimates of waiting times are off: a queue and its pods, played through on a clock of their own."""

import heapq
import itertools
import random
import statistics
from dataclasses import dataclass, field
from typing import Any

import pytest

from contract.runtimes import TaskType
from contract.task_table.item import Position, State, TaskItem, timestamp
from contract.task_table.pods import REPORT_SECONDS, PodItem
from frontend_lambda.tasks.estimate import Load, position, retry_after, tasks_ahead, waiting
from frontend_lambda.tasks.timings import TaskTimings

BEGIN = 1_700_000_000.0
OUT_OF_ORDER = 0.2
"""Of the messages that a pod takes, those that are not the oldest: SQS promises no order."""

MAX_MEDIAN_ERROR = 0.3


def task(created: float = BEGIN, **facts: Any) -> TaskItem:
    given = {"client": "c", "id": "t", "request": "r", "runtime": "rt", "prefix": "p", "status": State.QUEUED}
    return TaskItem.model_validate({**given, "tasktype": TaskType.PIPELINE, "created": timestamp(created), **facts})


def pod(name: str = "p", **facts: Any) -> PodItem:
    return PodItem.model_validate({"runtime": "rt", "pod": name, "at": BEGIN, "ready": True, **facts})


@dataclass
class Pod:
    report: PodItem
    newest: float | None = None
    began: float | None = None
    runs: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Guess:
    task: int
    at: float
    start_in: float


class Play:
    """Tasks come, wait, and are run; every task's wait is estimated when it comes, and some again later."""

    def __init__(self, *, pods: int, seconds: float, spread: float, load: float, at_once: int, tasks: int) -> None:
        self.random = random.Random(tasks + pods)
        self.seconds, self.spread = seconds, spread
        arrivals = [BEGIN] * at_once
        while len(arrivals) < tasks:
            arrivals.append(arrivals[-1] + self.random.expovariate(pods * load / seconds))
        self.arrivals = arrivals
        self.pods = [Pod(pod(str(number), mean_seconds=seconds)) for number in range(pods)]
        self.queue: list[int] = []
        self.items: dict[int, TaskItem] = {}
        self.starts: dict[int, float] = {}
        self.guesses: list[Guess] = []
        self.read: tuple[float, int, int] = (0.0, 0, 0)
        self.numbers = itertools.count()
        self.events: list[tuple[float, int, str, int]] = []
        for number, at in enumerate(arrivals):
            self.plan(at, "arrive", number)
        for number in range(pods):
            self.plan(BEGIN + self.random.random() * REPORT_SECONDS, "report", number)

    def plan(self, at: float, what: str, number: int) -> None:
        heapq.heappush(self.events, (at, next(self.numbers), what, number))

    def play(self) -> None:
        while self.events:
            now, _, what, number = heapq.heappop(self.events)
            getattr(self, what)(now, number)

    def load(self, now: float) -> Load:
        if now - self.read[0] > TaskTimings().keep_load:
            self.read = (now, len(self.queue), sum(one.began is not None for one in self.pods))
        return Load(now=now, waiting=self.read[1], taken=self.read[2], pods=[one.report for one in self.pods])

    def arrive(self, now: float, number: int) -> None:
        self.items[number] = task(now, position=position(self.load(now)))
        self.queue.append(number)
        at, queued, taken = self.read
        self.read = (at, queued + 1, taken)
        self.guess(now, number)
        if number % 5 == 0:
            self.plan(now + self.random.random() * 60, "guess", number)
        self.take(now)

    def guess(self, now: float, number: int) -> None:
        if number not in self.starts:
            estimate = waiting(self.items[number], self.load(now))
            assert estimate.start_in is not None
            self.guesses.append(Guess(number, now, estimate.start_in))

    def take(self, now: float) -> None:
        for index, one in enumerate(self.pods):
            if one.began is None and self.queue:
                late = self.random.random() < OUT_OF_ORDER
                number = self.queue.pop(self.random.randrange(min(5, len(self.queue))) if late else 0)
                self.starts[number] = one.began = now
                one.newest = max(one.newest or 0.0, self.arrivals[number])
                seconds = max(0.1, self.random.gauss(self.seconds, self.seconds * self.spread))
                one.runs.append(seconds)
                self.plan(now + seconds, "end", index)

    def end(self, now: float, index: int) -> None:
        self.pods[index].began = None
        self.take(now)

    def report(self, now: float, index: int) -> None:
        one = self.pods[index]
        mean = statistics.mean(one.runs[-10:]) if one.runs else self.seconds
        one.report = pod(str(index), at=now, mean_seconds=mean, busy_since=one.began, newest=one.newest)
        if len(self.starts) < len(self.arrivals):
            self.plan(now + REPORT_SECONDS, "report", index)

    def errors(self) -> list[float]:
        """Of the waits of a second and more, each as a part of the wait."""
        waits = ((self.starts[guess.task] - guess.at, guess.start_in) for guess in self.guesses)
        return [abs(guessed - real) / real for real, guessed in waits if real >= 1]


STEADY = {"pods": 3, "seconds": 4.0, "spread": 0.1, "load": 1.0, "at_once": 60, "tasks": 1500}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pods": 1, "seconds": 1.5},
        {"pods": 10, "seconds": 8.0},
        {"pods": 2, "seconds": 30.0, "at_once": 20},
        {"spread": 0.6},
        {"load": 0.95},
        {"load": 1.3},
        {"pods": 2, "seconds": 1.5, "at_once": 800},
    ],
    ids=["usual", "one pod", "ten pods", "long runs", "unequal runs", "drains", "grows", "a burst"],
)
def test_half_of_the_estimates_are_off_by_less_than_a_third(changes: dict[str, Any]) -> None:
    # Given
    settings: dict[str, Any] = STEADY | changes
    play = Play(**settings)

    # When
    play.play()

    # Then
    errors = play.errors()
    assert len(errors) > 500
    assert statistics.median(errors) < MAX_MEDIAN_ERROR


def test_without_a_ready_pod_nobody_knows_when() -> None:
    load = Load(now=BEGIN, waiting=5, pods=[pod(ready=False), pod("gone", at=BEGIN - 100, mean_seconds=4.0)])

    estimate = waiting(task(position=Position(tasks=3)), load)

    assert (estimate.waiting_for, estimate.ahead, estimate.start_in) == ("pod", 3, None)


def test_a_task_that_waits_for_another_run_has_no_place_in_the_queue() -> None:
    estimate = waiting(task(retry=True), Load(now=BEGIN, waiting=5, pods=[pod(mean_seconds=4.0)]))

    assert (estimate.waiting_for, estimate.ahead, estimate.start_in) == ("retry", None, None)


def test_an_idle_pod_takes_the_task_at_once() -> None:
    estimate = waiting(task(position=Position(tasks=0)), Load(now=BEGIN, waiting=0, pods=[pod(mean_seconds=4.0)]))

    assert (estimate.ahead, estimate.start_in) == (0, 0.0)


def test_before_its_first_run_a_runtime_has_no_rhythm() -> None:
    estimate = waiting(task(position=Position(tasks=2)), Load(now=BEGIN, waiting=3, pods=[pod()]))

    assert (estimate.waiting_for, estimate.ahead, estimate.start_in) == ("turn", 2, None)


def test_a_task_without_a_place_is_behind_those_that_were_sent_before() -> None:
    """Those of the older routes have none."""
    load = Load(now=BEGIN + 50, waiting=101, pods=[pod(at=BEGIN + 50, newest=BEGIN - 50)])

    assert tasks_ahead(task(BEGIN), load) == 50


@pytest.mark.parametrize(
    ("facts", "seconds"),
    [
        ({}, 4),
        ({"status": State.RUNNING, "started": timestamp(BEGIN - 1)}, 3),
        ({"status": State.RUNNING, "started": timestamp(BEGIN - 9)}, 1),
    ],
)
def test_it_is_worth_asking_again_when_the_estimate_is_over(facts: dict[str, Any], seconds: int) -> None:
    load = Load(now=BEGIN, waiting=2, pods=[pod(mean_seconds=4.0, newest=BEGIN - 1)])
    item = task(position=Position(tasks=1, since=BEGIN - 1), **facts)
    queued = waiting(item, load) if item.status is State.QUEUED else None

    assert retry_after(item, load, queued) == pytest.approx(seconds, abs=2)


def test_without_an_estimate_it_is_worth_asking_soon() -> None:
    load = Load(now=BEGIN, waiting=None)

    assert retry_after(task(), load, waiting(task(), load)) == 5
