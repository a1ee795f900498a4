"""What waits for an image: until it is there, its build has failed, or the time is over."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.functions.image_wait import MARGIN_MS, handle, wait
from test.infra.functions.conftest import CloudFormation

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient
    from types_boto3_ecr import ECRClient

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TAG = "0123456789ab"
LONG, SHORT = 100 * MARGIN_MS, MARGIN_MS - 1
"""Milliseconds that the function has left."""


@pytest.fixture
def ecr() -> "ECRClient":
    return boto3.client("ecr")


@pytest.fixture
def codebuild() -> "CodeBuildClient":
    return boto3.client("codebuild")


@pytest.fixture
def asked(ecr: "ECRClient", codebuild: "CodeBuildClient") -> dict[str, str]:
    name = f"kit-{uuid.uuid4().hex}"
    ecr.create_repository(repositoryName=name)
    codebuild.create_project(
        name=name,
        source={"type": "S3", "location": "bucket/key.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "image",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole="arn:aws:iam::123456789012:role/service-role/build",
    )
    return {"Project": name, "Repository": name, "Tag": TAG}


def push(ecr: "ECRClient", asked: dict[str, str], tag: str = TAG) -> None:
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": uuid.uuid4().hex}})
    ecr.put_image(repositoryName=asked["Repository"], imageManifest=manifest, imageTag=tag)


def event(kind: str, asked: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"RequestType": kind, "ResourceProperties": asked, **more}


def context(milliseconds: int = LONG) -> Any:
    return SimpleNamespace(log_stream_name="stream", get_remaining_time_in_millis=lambda: milliseconds)


def test_an_image_that_is_there_is_not_waited_for(ecr: "ECRClient", asked: dict[str, str]) -> None:
    push(ecr, asked)

    assert wait(event("Create", asked), context(SHORT)) is None


def test_an_image_is_waited_for_until_it_is_pushed(ecr: "ECRClient", asked: dict[str, str]) -> None:
    # Given
    push(ecr, asked, "an-older-one")

    # When
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, event("Update", asked), context(), 0.05)
        time.sleep(0.2)
        assert not waiting.done()
        push(ecr, asked)

        # Then
        assert waiting.result(timeout=30) is None


def test_a_build_that_ended_without_its_image_is_the_reason(
    codebuild: "CodeBuildClient", asked: dict[str, str], cloudformation: CloudFormation
) -> None:
    # Given
    build = codebuild.start_build(projectName=asked["Project"])["build"]["id"]
    about = {"StackId": "s", "RequestId": "r", "LogicalResourceId": "ImageWait", "ResponseURL": cloudformation.url}

    # When
    handle(event("Create", asked, **about), context(SHORT))

    # Then
    answer = cloudformation.answers[-1]
    assert answer["Status"] == "FAILED"
    assert build in answer["Reason"]


def test_an_image_that_does_not_come_in_time_is_the_reason(asked: dict[str, str]) -> None:
    reason = wait(event("Create", asked), context(SHORT))

    assert reason is not None
    assert f"{asked['Repository']}:{TAG} is not built yet" in reason


def test_nothing_is_waited_for_when_the_stack_goes(asked: dict[str, str]) -> None:
    assert wait(event("Delete", asked), context(SHORT)) is None
