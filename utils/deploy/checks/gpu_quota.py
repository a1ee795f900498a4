"""Whether the account may start GPU instances, and how many. New accounts may start none."""

from collections.abc import Iterator, Mapping, Sequence

from utils.deploy.account import CLIENT, Account
from utils.deploy.checks.instance_types import offered
from utils.deploy.finding import Finding, Subject, warning
from utils.deploy.quotas import increase, quota
from utils.deploy.runtime_values import ON_DEMAND, SPOT, NodeDemand, node_demand

CODES: Mapping[str, str] = {SPOT: "L-3819A6DF", ON_DEMAND: "L-DB2E81BA"}
"""EC2's quotas for G and VT instances, in vCPUs: All G and VT Spot Instance Requests, Running On-Demand G and VT."""

FAMILIES = ("g", "gr", "vt")
"""What they cover."""


def check(subject: Subject) -> Iterator[Finding]:
    """Too little for a single node, or for all pods at once."""
    demands = [node_demand(runtime) for runtime in subject.config.models_runtime]
    others = sorted({one for demand in demands for one in demand.instance_types if not _covered(one)})
    if others:
        yield warning(f"the quotas for {', '.join(others)} are not checked; look them up in Service Quotas")
    counted = [demand for demand in demands if any(map(_covered, demand.instance_types))]
    if not counted:
        return
    sizes = _vcpus(subject.account, [one for demand in counted for one in demand.instance_types if _covered(one)])
    if not sizes:
        return
    kinds = [kind for kind in CODES if any(kind in demand.capacity for demand in counted)]
    quotas = {kind: quota(subject.account, "ec2", CODES[kind]) for kind in kinds}
    yield from _judge(subject.account, counted, sizes, quotas)


def _judge(
    account: Account, demands: Sequence[NodeDemand], sizes: Mapping[str, int], quotas: Mapping[str, float]
) -> Iterator[Finding]:
    have, smallest = sum(quotas.values()), min(sizes.values())
    want = sum(demand.max_nodes * _smallest(demand, sizes, smallest) for demand in demands)
    fixes = {kind: increase(account, "ec2", CODES[kind], want) for kind in quotas}
    named = " and ".join(f"{value:g} vCPUs of {kind}" for kind, value in quotas.items())
    if have < smallest:
        yield warning(
            f"no GPU node can start: the account's quota for G instances in {account.region} is {named}, and the "
            f"smallest node has {smallest}. The platform deploys, and tasks wait until the quota is raised",
            *fixes.values(),
        )
        return
    for kind, value in quotas.items():
        if value < smallest:
            yield warning(f"the quota for {kind} G instances is {value:g} vCPUs: no {kind} node can start", fixes[kind])
    if have < want:
        nodes = int(have // smallest)
        most = sum(demand.max_nodes for demand in demands)
        yield warning(
            f"the account's quota for G instances ({named}) admits about {nodes} GPU nodes, and the runtimes may scale "
            f"to {most} pods",
            *fixes.values(),
            "Or lower runtime.scaling.maxReplicaCount in extraValues.",
        )


def _smallest(demand: NodeDemand, sizes: Mapping[str, int], otherwise: int) -> int:
    return min((sizes[one] for one in demand.instance_types if one in sizes), default=otherwise)


def _covered(instance_type: str) -> bool:
    family = instance_type.partition(".")[0]
    return family.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip("0123456789") in FAMILIES


def _vcpus(account: Account, types: Sequence[str]) -> dict[str, int]:
    """Of those that the region has; EC2 refuses a question about others."""
    here = sorted(offered(account, types))
    if not here:
        return {}
    ec2 = account.session.client("ec2", config=CLIENT)
    found = ec2.describe_instance_types(InstanceTypes=here)["InstanceTypes"]  # type: ignore[arg-type]  # any text
    return {str(one["InstanceType"]): one["VCpuInfo"]["DefaultVCpus"] for one in found}
