"""The values of the runtimes' chart that matter to the account: nodes and the number of pods."""

from dataclasses import dataclass

from infra.chart_defaults import values_of
from infra.config.model import Runtime

SPOT, ON_DEMAND = "spot", "on-demand"


@dataclass(frozen=True, slots=True)
class NodeDemand:
    """``capacity``: SPOT, ON_DEMAND or both. ``max_nodes``: a pod takes a node."""

    instance_types: tuple[str, ...]
    capacity: tuple[str, ...]
    max_nodes: int


def node_demand(runtime: Runtime) -> NodeDemand:
    """What a runtime may ask of EC2: the chart's defaults, and the user's values over them.

    A chart of the user's own is taken to have the same defaults.
    """
    values = values_of(runtime)
    provisioner, scaling = values["karpenter"]["provisioner"], values["runtime"]["scaling"]
    kinds = provisioner["capacityType"]
    capacity = [name for name, key in ((SPOT, "spot"), (ON_DEMAND, "onDemand")) if kinds.get(key)]
    most = scaling["maxReplicaCount"] if scaling.get("enabled", True) else values["runtime"]["replicas"]
    return NodeDemand(tuple(map(str, provisioner["instanceType"])), tuple(capacity), int(most))
