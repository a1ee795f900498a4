"""Names of the log groups that AWS services write by themselves, and may make again after the stack is deleted.

The stack makes them first, under these names, so that they have a retention. CloudFormation cannot create a group that
exists: the scripts remove what an earlier stack of the same name left behind.
"""

from infra.config.model import Config
from infra.images import builds_log_group

CONTAINER_LOGS = ("application", "dataplane", "host", "performance")
"""What the CloudWatch add-on writes of a cluster: containers, Kubernetes' own daemons, the system, and metrics."""


def control_plane_log_group(cluster: str) -> str:
    """Of the Kubernetes API server and its like. ``cluster`` is the cluster's name."""
    return f"/aws/eks/{cluster}/cluster"


def container_log_group(cluster: str, kind: str) -> str:
    """``kind`` is one of CONTAINER_LOGS."""
    return f"/aws/containerinsights/{cluster}/{kind}"


def kubectl_log_group(cluster: str) -> str:
    """Of the functions that run kubectl and helm for CloudFormation."""
    return f"/aws/lambda/{cluster}-kubectl"


def named_log_groups(config: Config) -> tuple[str, ...]:
    """Every log group with a literal name that a stack of ``config`` may leave behind, whatever is switched on now."""
    return log_groups_of(config.stack_name)


def log_groups_of(stack_name: str) -> tuple[str, ...]:
    """The same for the stack of that name. ``stack_name`` is that of the config, without "Stack"."""
    cluster = f"{stack_name}Stack"
    return (
        control_plane_log_group(cluster),
        *(container_log_group(cluster, kind) for kind in CONTAINER_LOGS),
        kubectl_log_group(cluster),
        builds_log_group(stack_name),
    )
