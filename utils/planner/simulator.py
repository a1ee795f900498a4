"""The simulation of one runtime: KEDA, the HPA, Karpenter and the pods, by discrete events.

Tasks wait in one queue, first come, first served; a pod runs one at a time. Events are the HPA's ticks and KEDA's
decisions; in between, tasks are given to the pod that is free first, which a heap of the pods' times tells.
"""

import math
import random
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from heapq import heapify, heappush, heapreplace

from utils.planner.horizontal import HPA_PERIOD, ROUNDING, Horizontal
from utils.planner.model import HOUR, Cloud, Load, Outcome, Scaling
from utils.planner.nodes import Nodes

SPOT_NOTICE = 120.0
"""Seconds between the notice and the end of a Spot instance (EC2 User Guide, Spot Instance interruption notices)."""

NEVER = math.inf

MILLI = 1000
"""KEDA gives the HPA whole thousandths (pkg/scaling/modifiers; GenerateMetricInMili)."""

Progress = Callable[[float], None]


class Simulation:
    """One run.

    A message is in flight for its run and ``hold`` longer. SQS's counts are approximate and lag behind, so the time
    after the run is counted with its mean, from the first end on: ``_overlap`` messages a busy pod. ``progress`` gets
    the share of the tasks that have started, from 0 to 1.
    """

    def __init__(
        self, load: Load, scaling: Scaling, cloud: Cloud, *, seed: int = 0, progress: Progress | None = None
    ) -> None:
        self._load, self._scaling, self._cloud = load, scaling, cloud
        self._random = random.Random(seed)  # noqa: S311 (a simulation)
        self._progress = progress
        self._hpa = Horizontal(scaling)
        self._nodes = Nodes(scaling, cloud, self._random)
        self._free: list[float] = []
        self._starting: list[tuple[float, float]] = []
        self._flying: list[float] = []
        self._next = 0
        self._arrived = 0
        self._last_end = -NEVER
        self._blind_from = 0
        self._woken = 0.0
        self._overlap = 1.0 + cloud.hold * len(load) / load.work
        self._tick_phase = self._random.random() * HPA_PERIOD
        self._poll_phase = self._random.random() * scaling.polling
        self._waits: list[float] = []
        self.outcome = Outcome()

    @property
    def pods(self) -> int:
        """Ready or not."""
        return len(self._free) + len(self._starting)

    def run(self) -> Outcome:
        """Until the last task has ended and what was started for it is gone; never shorter than the load."""
        for _ in range(self._floor(0.0)):
            self._nodes.keep(0.0)
            heappush(self._free, 0.0)
        now, steps = 0.0, 0
        while not self._over(now):
            if not self.pods:
                now = self._wake(now)
                continue
            tick = _after(now, self._tick_phase, HPA_PERIOD)
            idle_at = self._deactivation(tick)
            if idle_at <= tick and self.pods > self._floor(idle_at):
                now = max(now, idle_at)
                self._resize(now, self._floor(now))
                continue
            self._serve(tick)
            self._interrupt(tick)
            self._resize(tick, self._hpa.replicas(tick, self._wanted(tick), self.pods, max(1, self._floor(tick))))
            now, steps = tick, steps + 1
            if self._progress and steps % 64 == 0:
                self._progress(self._next / len(self._load))
        return self._settled(now)

    def _over(self, now: float) -> bool:
        if self._next < len(self._load) or self._flying or now < self._load.length:
            return self._next == len(self._load) and not self.pods and not self._floor_ahead(now)
        return self.pods <= self._floor(now)

    def _floor(self, now: float) -> int:
        kept = [floor.pods for floor in self._scaling.floors if floor.start <= now < floor.end]
        return min(self._scaling.max_pods, max([self._scaling.min_pods, *kept]))

    def _floor_ahead(self, now: float) -> float:
        return min(
            (floor.start for floor in self._scaling.floors if now < floor.start < self._load.length), default=0.0
        )

    def _wake(self, now: float) -> float:
        """KEDA asks for the first pods at its first look at a queue that is not empty, or when a schedule begins."""
        arrival = self._load.arrivals[self._next] if self._next < len(self._load) else NEVER
        scheduled = self._floor_ahead(now) or NEVER
        poll = _after(max(now, min(arrival, scheduled)), self._poll_phase, self._scaling.polling)
        self._arrived = bisect_right(self._load.arrivals, poll, self._next)
        self._woken = poll
        self._resize(poll, max(1, self._floor(poll)))
        return poll

    def _deactivation(self, until: float) -> float:
        """When KEDA takes all pods away: the queue was empty at every look of the cooldown (scale_scaledobjects.go)."""
        if self._arrived > self._next:
            return NEVER
        polling = self._scaling.polling
        kept = max((floor.end for floor in self._scaling.floors if floor.end <= until), default=-NEVER)
        quiet = max(self._last_end, max(self._flying, default=-NEVER), self._woken, kept) + self._cloud.hold
        active = _after(quiet, self._poll_phase, polling) - polling
        at = _after(active + self._scaling.cooldown, self._poll_phase, polling)
        following = self._load.arrivals[self._next] if self._next < len(self._load) else NEVER
        return at if following > at else NEVER

    def _serve(self, until: float) -> None:
        """Give tasks to pods until a time. A task is in flight from its start to ``hold`` after its end."""
        self._become_ready(until)
        arrivals, runs = self._load.arrivals, self._load.runs
        number = self._next
        self._arrived = arrived = bisect_right(arrivals, until, number)
        flying = [end for end in self._flying if end > until]
        if self._free:
            free, waited, end = self._free, self._waits.append, self._last_end
            while number < arrived:
                start, arrival = free[0], arrivals[number]
                if start < arrival:
                    start = arrival
                elif start > until:
                    break
                end = start + runs[number]
                heapreplace(free, end)
                waited(start - arrival)
                if end > until:
                    flying.append(end)
                number += 1
            self._last_end = end
        self._next, self._flying = number, flying

    def _become_ready(self, until: float) -> None:
        ready = [pod for pod in self._starting if pod[0] <= until]
        if not ready:
            return
        if not self._free:
            seeing = bisect_left(self._load.arrivals, min(ready)[0])
            self.outcome.cold += max(0, seeing - self._blind_from)
        self._starting = [pod for pod in self._starting if pod[0] > until]
        for at, _ in ready:
            heappush(self._free, at)

    def _wanted(self, now: float) -> float:
        """Pods' worth of messages: KEDA's metric over its target."""
        waiting, busy = self._arrived - self._next, len(self._flying)
        flying = busy * self._overlap if self._next > busy else busy
        wanted = (waiting + flying) / self._scaling.per_pod
        if self._scaling.busy_weight is not None:
            wanted = max(wanted, flying * self._scaling.busy_weight)
        return max(math.floor(wanted * MILLI) / MILLI, self._floor(now))

    def _resize(self, now: float, to: int) -> None:
        current = self.pods
        if to == current:
            return
        for _ in range(to - current):
            node, ready = self._nodes.place(now)
            self._starting.append((ready, node))
        if to < current:
            self._remove(now, current - to)
        self.outcome.peak = max(self.outcome.peak, to)
        self.outcome.changes.append((now, to))

    def _remove(self, now: float, count: int) -> None:
        """Those that are not ready, then idle ones, then busy ones, which finish their task
        (pkg/controller/controller_utils.go, ActivePodsWithRanks; the agent keeps the deletion cost)."""
        self._starting.sort()
        while count and self._starting:
            _, node = self._starting.pop()
            self._nodes.vacate(max(now, node))
            count -= 1
        if count:
            self._free.sort()
            for end in self._free[:count]:
                self._nodes.vacate(max(now, end))
            del self._free[:count]
        if not self._free:
            self._blind_from = bisect_left(self._load.arrivals, now)

    def _interrupt(self, now: float) -> None:
        """Spot takes nodes: a run that outlasts the notice is put back and run again on the next free pod, and a pod on
        a new node takes the place of the one that goes."""
        rate = self._cloud.interruptions * len(self._free) * HPA_PERIOD / HOUR
        while self._free and self._random.random() < -math.expm1(-rate):
            rate -= 1.0
            busy_until = self._free.pop(self._random.randrange(len(self._free)))
            heapify(self._free)
            gone = now + SPOT_NOTICE
            self._nodes.end(gone)
            node, ready = self._nodes.place(now)
            self._starting.append((ready, node))
            self.outcome.interrupted += 1
            if not self._free:
                self._blind_from = bisect_left(self._load.arrivals, now)
            elif busy_until > gone:
                heapreplace(self._free, max(self._free[0], gone) + busy_until - now)

    def _settled(self, now: float) -> Outcome:
        outcome = self.outcome
        outcome.waits = array("d", self._waits)
        end = max(now, self._load.length)
        for _ in range(self.pods):
            self._nodes.end(end)
        outcome.node_seconds = self._nodes.paid
        outcome.ended = self._last_end
        outcome.last_node_gone = self._nodes.last_gone
        return outcome


def _after(moment: float, phase: float, period: float) -> float:
    """The first multiple of ``period``, counted from ``phase``, that is later than a moment."""
    return phase + (math.floor((moment - phase) / period + ROUNDING) + 1) * period
