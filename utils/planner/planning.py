"""Which setting does what with a load, and which one is the cheapest that is fast enough."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from utils.planner.errors import PlannerError
from utils.planner.loads import LONGEST
from utils.planner.model import HOUR, Cloud, Load
from utils.planner.results import THOUSAND, Result, result_of
from utils.planner.settings import Setting
from utils.planner.simulator import Progress, Simulation

WAITS = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 450, 600, 900, 1800)
"""Seconds: the values of targetWaitSeconds that are tried."""

LONG_COOLDOWN = 600
"""Seconds. Keeps pods through the pauses of a thin load: the cheap alternative to a pod that always runs."""

MOST_KEPT = 16
"""Pods kept that are tried, in powers of two."""

Watch = Callable[[str], Progress]
"""Called with the name of what is simulated next; gives what is reported of its progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """One load on one cloud; ``price`` of an hour of a node in US dollars."""

    load: Load
    cloud: Cloud
    price: float
    seed: int
    watch: Watch

    def result(self, setting: Setting) -> Result:
        """Simulate a setting. Raises PlannerError for a load that its pods would not have done within a year."""
        progress = self.watch(setting.name)
        scaling = setting.scaling(self.load.length)
        if self.load.work > scaling.max_pods * (self.load.length + LONGEST):
            raise PlannerError(
                f"{scaling.max_pods} pods would take more than a year for these tasks; allow more with --max-pods"
            )
        outcome = Simulation(self.load, scaling, self.cloud, seed=self.seed, progress=progress).run()
        progress(1.0)
        return result_of(setting.name, self.load, outcome, self.price)

    def cheapest(self, base: Setting, p95: float) -> tuple[Setting, Result] | None:
        """Of the settings that are tried, the cheapest whose p95 wait is not above ``p95`` seconds; None if none is."""
        best: tuple[Setting, Result] | None = None
        for family in _families(base):
            kept = family.values["minReplicaCount"] * self.load.length / HOUR * self.price
            if best and kept > best[1].per_thousand * len(self.load) / THOUSAND:
                break
            found = self._longest(family, p95)
            if found and (best is None or found[1].per_thousand < best[1].per_thousand):
                best = found
        return best

    def _longest(self, family: Setting, p95: float) -> tuple[Setting, Result] | None:
        """Longer waits need fewer pods: the longest that is short enough, by bisection."""
        best: tuple[Setting, Result] | None = None
        low, high = 0, len(WAITS)
        middle = 0
        while low < high:
            setting = family.changed(f"{family.name}, wait {WAITS[middle]} s", targetWaitSeconds=WAITS[middle])
            result = self.result(setting)
            if result.p95 <= p95:
                if best is None or result.per_thousand <= best[1].per_thousand:
                    best = (setting, result)
                low = middle + 1
            elif best is None:
                return None
            else:
                high = middle
            middle = (low + high) // 2
        return best


def _families(base: Setting) -> Iterator[Setting]:
    """What is tried with each wait: as it is, with a long cooldown, with pods that are kept."""
    yield base.changed("no pod kept", minReplicaCount=0)
    yield base.changed("long cooldown", minReplicaCount=0, cooldownPeriod=LONG_COOLDOWN)
    kept = 1
    while kept <= min(MOST_KEPT, base.values["maxReplicaCount"]):
        yield base.changed(f"{kept} kept", minReplicaCount=kept)
        kept *= 2


def pods_for_busiest(load: Load, *, window: float = 600.0) -> int:
    """Pods that always run, and do what comes in the busiest ten minutes as fast as it comes; at least one."""
    most, first = 0.0, 0
    while first < len(load):
        end = (load.arrivals[first] // window + 1) * window
        last = bisect_left(load.arrivals, end, first)
        most = max(most, sum(load.runs[first:last]))
        first = last
    return max(1, math.ceil(most / window))
