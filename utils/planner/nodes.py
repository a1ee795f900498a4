"""Karpenter's rules: a node for each pod, kept a while when it is empty, and what is paid for all of them."""

import random
from dataclasses import dataclass

from utils.planner.model import Cloud, Scaling


@dataclass(slots=True)
class _Empty:
    """A node without a pod: ready at ``ready``, removed at ``gone``."""

    ready: float
    gone: float


class Nodes:
    """``paid``: seconds of all nodes, from the launch to the removal (karpenter-core, disruption/emptiness.go)."""

    def __init__(self, scaling: Scaling, cloud: Cloud, dice: random.Random) -> None:
        self._scaling, self._cloud, self._random = scaling, cloud, dice
        self._empty: list[_Empty] = []
        self.paid = 0.0
        self.last_gone = 0.0

    def place(self, now: float) -> tuple[float, float]:
        """A pod is made: when its node is ready, and when it takes tasks. An empty node is used before one is made."""
        self._empty = [node for node in self._empty if node.gone > now]
        if self._empty:
            node = max(self._empty, key=lambda one: one.gone)
            self._empty.remove(node)
            self.paid -= node.gone
            warm = node.ready <= now
            return node.ready, (
                now + self._cloud.lag + self._cloud.warm_pod if warm else node.ready + self._cloud.pod_ready
            )
        self.paid -= now
        ready = now + self._cloud.lag + self._cloud.node_ready
        return ready, ready + self._cloud.pod_ready

    def vacate(self, since: float) -> None:
        """A node's pod ends at ``since``, or its node is ready without one then."""
        gone = since + self._scaling.consolidate_after + self._random.random() * self._cloud.removal
        self._empty.append(_Empty(since, gone))
        self.paid += gone
        self.last_gone = max(self.last_gone, gone)

    def keep(self, since: float) -> None:
        """A node runs from ``since`` on, with its pod."""
        self.paid -= since

    def end(self, when: float) -> None:
        """A node with a pod is not paid for any longer than ``when``."""
        self.paid += when
