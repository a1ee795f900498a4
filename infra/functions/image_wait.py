"""Waits until the build of an image has pushed it, for what CloudFormation can make only then: a Lambda function.

The build is started before, by ``image_builds``. One that fails fails the stack, with the build's id as the reason.
"""

import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .answer import answer

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient
    from types_boto3_ecr import ECRClient

CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})

PAUSE = 10.0
"""Seconds between two looks."""

MARGIN_MS = 60_000
"""Before the function's own end: the longest that the calls of one look and the answer take."""

RUNNING = "IN_PROGRESS"


def handle(event: dict[str, Any], context: Any) -> None:
    """Called by CloudFormation as a custom resource with the properties ``Project``, ``Repository`` and ``Tag``."""
    answer(event, context, lambda: wait(event, context))


def wait(event: dict[str, Any], context: Any, pause: float = PAUSE) -> str | None:
    """Why the image will not be there; None once it is. Raises botocore's errors."""
    if event["RequestType"] == "Delete":
        return None
    asked = event["ResourceProperties"]
    ecr, codebuild = boto3.client("ecr", config=CLIENT_CONFIG), boto3.client("codebuild", config=CLIENT_CONFIG)
    image = f"{asked['Repository']}:{asked['Tag']}"
    while not _is_there(ecr, asked["Repository"], asked["Tag"]):
        ended = _ended_build(codebuild, asked["Project"], asked["Tag"])
        if ended and not _is_there(ecr, asked["Repository"], asked["Tag"]):
            return f"the build of {image} ended without it, see the log of the build {ended}; then deploy again"
        if context.get_remaining_time_in_millis() < MARGIN_MS:
            return f"{image} is not built yet; see the builds of {asked['Project']}, then deploy again"
        time.sleep(pause)
    return None


def _is_there(ecr: "ECRClient", repository: str, tag: str) -> bool:
    try:
        return bool(ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"])
    except ecr.exceptions.ImageNotFoundException:
        return False


def _ended_build(codebuild: "CodeBuildClient", project: str, tag: str) -> str | None:
    """The id of the latest build, if it was for this tag and does not run any more."""
    ids = codebuild.list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"]
    if not ids:
        return None
    (build,) = codebuild.batch_get_builds(ids=ids[:1])["builds"]
    variables = {one["name"]: one["value"] for one in build["environment"].get("environmentVariables", ())}
    return build["id"] if variables.get("TAG", tag) == tag and build["buildStatus"] != RUNNING else None
