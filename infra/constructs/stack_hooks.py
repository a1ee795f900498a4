"""What CloudFormation asks while it changes the stack: whether queues and nodes may go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.function import Function

INFRA = Path(__file__).parents[1]
FOLDER = "functions"

MEMORY_MB = 128


class StackHook(Construct):
    """A custom resource, and the function that answers for it. ``role`` is granted what it asks outside."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        module: str,
        description: str,
        timeout: cdk.Duration,
        properties: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        architecture: str,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        made = Function(
            self,
            "Handler",
            code=lambda_.Code.from_asset(
                str(INFRA),
                exclude=["**", *(f"!{FOLDER}{file}" for file in ("", "/__init__.py", "/answer.py", f"/{module}.py"))],
            ),
            handler=f"{FOLDER}.{module}.handle",
            architecture=architecture,
            log_retention_days=log_retention_days,
            timeout=timeout,
            memory_mb=MEMORY_MB,
            description=description,
            environment=environment,
        )
        self.role = made.role
        self.resource = cdk.CustomResource(
            self,
            "Question",
            resource_type=f"Custom::{construct_id}",
            service_token=made.function.function_arn,
            service_timeout=timeout,
            properties=dict(properties),
        )
        self.resource.node.add_dependency(made)


def queue_guard(
    scope: Construct, *, queue_urls: Sequence[str], architecture: str, log_retention_days: int
) -> StackHook:
    """Refuses an update that would delete a queue with tasks in it."""
    return StackHook(
        scope,
        "QueueGuard",
        module="queue_guard",
        description="Refuses an update that would delete a queue with tasks in it",
        timeout=cdk.Duration.minutes(2),  # 45 queues, asked one after the other
        properties={"Queues": list(queue_urls)},
        architecture=architecture,
        log_retention_days=log_retention_days,
    )


def node_drain(
    scope: Construct, *, cluster_name: str, node_role_name: str, architecture: str, log_retention_days: int
) -> StackHook:
    """Holds the stack's deletion until Karpenter has ended its nodes: make it before the runtimes, after Karpenter."""
    return StackHook(
        scope,
        "NodeDrain",
        module="node_drain",
        description="Holds the stack's deletion until the GPU nodes are gone",
        timeout=cdk.Duration.minutes(15),  # the longest that a function runs
        properties={},
        environment={"CLUSTER_NAME": cluster_name, "NODE_ROLE": node_role_name},
        architecture=architecture,
        log_retention_days=log_retention_days,
    )
