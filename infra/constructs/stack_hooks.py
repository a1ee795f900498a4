"""Custom resources: what runs while CloudFormation changes the stack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.function import Function, FunctionProps, FunctionSettings
from infra.images import ImageBuild

INFRA = Path(__file__).parents[1]
FOLDER = "functions"

MEMORY_MB = 128

LONGEST_RUN = cdk.Duration.minutes(15)
"""Lambda runs no function for longer."""


class StackHook(Construct):
    """A custom resource, and the function of ``infra.functions`` that answers for it. What the function needs is
    granted to ``role`` outside."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        module: str,
        description: str,
        timeout: cdk.Duration,
        settings: FunctionSettings,
        properties: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        made = Function(
            self,
            "Handler",
            FunctionProps(
                code=_code(module),
                handler=f"{FOLDER}.{module}.handle",
                description=description,
                settings=settings,
                timeout=timeout,
                memory_mb=MEMORY_MB,
                environment=environment or {},
            ),
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


def queue_guard(scope: Construct, *, queue_urls: Sequence[str], settings: FunctionSettings) -> StackHook:
    """Refuses an update that would delete a queue with tasks in it."""
    return StackHook(
        scope,
        "QueueGuard",
        module="queue_guard",
        description="Refuses an update that would delete a queue with tasks in it",
        timeout=cdk.Duration.minutes(2),  # 40 queues, asked one after the other
        settings=settings,
        properties={"Queues": list(queue_urls)},
    )


def node_drain(scope: Construct, *, cluster_name: str, node_role_name: str, settings: FunctionSettings) -> StackHook:
    """Holds the stack's deletion until Karpenter has terminated its nodes. The runtimes depend on it, and it depends
    on all that running pods and Karpenter need until then."""
    return StackHook(
        scope,
        "NodeDrain",
        module="node_drain",
        description="Holds the stack's deletion until the GPU nodes are gone",
        timeout=LONGEST_RUN,
        settings=settings,
        properties={},
        environment={"CLUSTER_NAME": cluster_name, "NODE_ROLE": node_role_name},
    )


def image_start(scope: Construct, *, builds: Sequence[ImageBuild], settings: FunctionSettings) -> StackHook:
    """Starts the builds of images that are new or changed."""
    return StackHook(
        scope,
        "ImageStart",
        module="image_builds",
        description="Starts the builds of images that are new or changed",
        timeout=cdk.Duration.minutes(2),
        settings=settings,
        properties={"Builds": [{"Project": build.project, "Tag": build.tag} for build in builds]},
    )


def image_wait(scope: Construct, *, build: ImageBuild, settings: FunctionSettings) -> StackHook:
    """Holds what needs an image until its build has pushed it."""
    return StackHook(
        scope,
        "ImageWait",
        module="image_wait",
        description="Waits for the image of the image kit's function",
        timeout=LONGEST_RUN,
        settings=settings,
        properties={"Project": build.project, "Repository": build.repository, "Tag": build.tag},
    )


def _code(module: str) -> lambda_.Code:
    """The function's module and what all of them share, and nothing else of this folder."""
    kept = ("", "/__init__.py", "/answer.py", f"/{module}.py")
    return lambda_.Code.from_asset(str(INFRA), exclude=["**", *(f"!{FOLDER}{file}" for file in kept)])
