"""What a simulation is about: the settings of the autoscalers, the machine room around them, the tasks, the outcome."""

from array import array
from dataclasses import dataclass, field

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Floor:
    """Pods that are kept from ``start`` to ``end``, both in seconds of the simulation, whatever the queue holds."""

    start: float
    end: float
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What KEDA, the HPA and Karpenter are set to. Times in seconds.

    ``per_pod``: messages a pod. ``busy_weight``: what a message in flight counts at least, in pods; None where only the
    backlog counts. ``window``: of the scale-down stabilisation. ``has_behavior``: whether the HPA has a ``behavior`` as
    the chart renders it; without one, Kubernetes' defaults apply.
    """

    per_pod: float
    busy_weight: float | None = None
    min_pods: int = 0
    max_pods: int = 20
    polling: float = 2.0
    cooldown: float = 120.0
    window: float = 120.0
    consolidate_after: float = 10.0
    has_behavior: bool = True
    floors: tuple[Floor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The times of nodes and pods in seconds; the defaults are the budget of docs/en/explanation/cold-start.md.

    ``lag``: from a decision to the pod (step 2). ``node_ready``: from a pod without a node to a ready node (steps 3 to
    5). ``pod_ready``: from a new node to a pod that takes tasks.
    ``warm_pod``: the same on a node that has the image (steps 8 to 10). ``removal``: Karpenter removes an empty node up
    to so much later than ``consolidateAfter``. ``hold``: how long a message stays in flight after its run, while its
    result is stored and announced. ``interruptions``: Spot interruptions in an hour of a node.
    """

    lag: float = 1.0
    node_ready: float = 46.0
    pod_ready: float = 49.0
    warm_pod: float = 24.0
    removal: float = 30.0
    hold: float = 0.4
    interruptions: float = 0.0

    @property
    def cold_start(self) -> float:
        """Seconds from a decision for a pod without a node to a pod that takes tasks."""
        return self.lag + self.node_ready + self.pod_ready


@dataclass(frozen=True, slots=True)
class Load:
    """Tasks by time of arrival, with the seconds that each runs; ``length`` is the whole time that is looked at."""

    arrivals: "array[float]"
    runs: "array[float]"
    length: float

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def work(self) -> float:
        """Seconds of all runs."""
        return sum(self.runs)


@dataclass(slots=True)
class Outcome:
    """What came of a load. ``waits``: seconds from arrival to the start of the run, in the order of arrival.

    ``cold``: tasks that came while no pod was ready. ``node_seconds``: paid. ``peak``: most pods at once. ``changes``:
    times at which the number of pods changed, and the number then. ``ended``: when the last task ended.
    """

    waits: "array[float]" = field(default_factory=lambda: array("d"))
    cold: int = 0
    node_seconds: float = 0.0
    peak: int = 0
    interrupted: int = 0
    changes: list[tuple[float, int]] = field(default_factory=list)
    ended: float = 0.0
    last_node_gone: float = 0.0
