"""Starts the builds of the images that are new or whose sources changed, when the stack is created or updated.

It does not wait for them: they run while the cluster is created, which takes about as long. A build that fails does not
fail the stack; its pods wait for their image, and ``deploy.sh`` reports the failure.
"""

import hashlib
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .answer import answer

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient

CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})


def handle(event: dict[str, Any], context: Any) -> None:
    """Called by CloudFormation as a custom resource with the property ``Builds``: a list of maps with ``Project`` and
    ``Tag``."""
    answer(event, context, lambda: start(event, boto3.client("codebuild", config=CLIENT_CONFIG)))


def start(event: dict[str, Any], codebuild: "CodeBuildClient") -> None:
    """Start what was not in the stack before. Raises botocore's errors when CodeBuild does not take a build."""
    if event["RequestType"] == "Delete":
        return
    before = event.get("OldResourceProperties", {}).get("Builds", [])
    for build in event["ResourceProperties"]["Builds"]:
        if build not in before:
            # Lambda may deliver an event twice; CodeBuild starts one build for a token.
            token = hashlib.sha256(f"{event['RequestId']} {build['Project']}".encode()).hexdigest()
            codebuild.start_build(projectName=build["Project"], idempotencyToken=token)
