"""Whether the region has the instance types that the config names."""

from collections.abc import Iterator, Sequence

from utils.deploy.account import CLIENT, Account
from utils.deploy.finding import Finding, Subject, error, warning
from utils.deploy.runtime_values import node_demand


def check(subject: Subject) -> Iterator[Finding]:
    """One that is missing is a warning while the runtime has others."""
    region = subject.account.region
    components = subject.config.cluster_components.instance_type
    demands = {runtime.name: node_demand(runtime).instance_types for runtime in subject.config.models_runtime}
    here = offered(subject.account, [components, *(one for types in demands.values() for one in types)])
    if components not in here:
        yield error(
            f"{region} has no instances of type {components}, which the controllers are to run on",
            "Name another as clusterComponents.instanceType in config.yaml.",
        )
    for name, types in demands.items():
        missing = [one for one in types if one not in here]
        fix = "Name others as karpenter.provisioner.instanceType in its extraValues (g4dn.xlarge, for example)."
        if missing and len(missing) == len(types):
            yield error(f"{region} has no instances of type {', '.join(missing)}, so {name} could not run", fix)
        elif missing:
            yield warning(
                f"{region} has no instances of type {', '.join(missing)}; {name} runs on its others only", fix
            )


def offered(account: Account, types: Sequence[str]) -> set[str]:
    """Those of ``types`` that the region has."""
    ec2 = account.session.client("ec2", config=CLIENT)
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="region", Filters=[{"Name": "instance-type", "Values": sorted(set(types))}]
    )
    return {one["InstanceType"] for page in pages for one in page["InstanceTypeOfferings"]}
