"""The HPA's rules: from the pods that a queue asks for to the pods that there shall be."""

import math

from utils.planner.model import Scaling

HPA_PERIOD = 15.0
"""Seconds between two looks (kube-controller-manager, --horizontal-pod-autoscaler-sync-period)."""

TOLERANCE = 0.1
"""A deviation from the target that changes nothing (--horizontal-pod-autoscaler-tolerance)."""

DOWN_PERIOD, DOWN_SHARE = 60.0, 0.8
"""The chart's scale-down policies: a fifth of the pods, or one, in a minute."""

UNBEHAVED_WINDOW = 300.0
"""Seconds (--horizontal-pod-autoscaler-downscale-stabilization), for an HPA without ``behavior``."""

UNBEHAVED_FACTOR, UNBEHAVED_LEAST = 2, 4
"""Such an HPA doubles the pods at most, or goes to four (pkg/controller/podautoscaler, calculateScaleUpLimit)."""

ROUNDING = 1e-9


class Horizontal:
    """What one HPA remembers: its recommendations and what it took away."""

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._window = scaling.window if scaling.has_behavior else UNBEHAVED_WINDOW
        self._recommended: list[tuple[float, int]] = []
        self._removed: list[tuple[float, int]] = []

    def replicas(self, now: float, wanted: float, current: int, least: int) -> int:
        """Pods from now on. ``wanted``: pods' worth of messages; ``current``: pods, ready or not, at least one.

        Rules of pkg/controller/podautoscaler: replica_calculator.go (GetExternalPerPodMetricReplicas), horizontal.go
        (stabilizeRecommendationWithBehaviors, calculateScaleDownLimitWithBehaviors; stabilizeRecommendation).
        """
        steady = abs(1.0 - wanted / current) <= TOLERANCE
        recommended = current if steady else math.ceil(wanted - ROUNDING)
        recommended = min(max(recommended, least), self._scaling.max_pods)
        self._recommended = [one for one in self._recommended if one[0] > now - self._window]
        self._recommended.append((now, recommended))
        highest = max(count for _, count in self._recommended)
        if not self._scaling.has_behavior:
            return min(highest, max(UNBEHAVED_FACTOR * current, UNBEHAVED_LEAST))
        if recommended > current:
            return recommended
        return self._lowered(now, current, highest) if highest < current else current

    def _lowered(self, now: float, current: int, to: int) -> int:
        self._removed = [one for one in self._removed if one[0] > now - DOWN_PERIOD]
        before = current + sum(count for _, count in self._removed)
        lowest = min(math.floor(before * DOWN_SHARE + ROUNDING), before - 1)
        result = min(current, max(to, lowest))
        if result < current:
            self._removed.append((now, current - result))
        return result
