"""Which builds are started, and how CloudFormation hears of it."""

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.functions.image_builds import handle
from test.infra.functions.conftest import CloudFormation

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient


@pytest.fixture
def codebuild() -> "CodeBuildClient":
    return boto3.client("codebuild")


@pytest.fixture
def project(codebuild: "CodeBuildClient") -> str:
    name = f"sdoneks-{uuid.uuid4().hex}"
    codebuild.create_project(
        name=name,
        source={"type": "S3", "location": "bucket/key.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::123456789012:role/service-role/build",
    )
    return name


def deliver(cloudformation: CloudFormation, kind: str, builds: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    event = {
        "RequestType": kind,
        "StackId": "stack",
        "RequestId": uuid.uuid4().hex,
        "LogicalResourceId": "ImageStart",
        "ResponseURL": cloudformation.url,
        "ResourceProperties": {"Builds": builds},
        **more,
    }
    handle(event, SimpleNamespace(log_stream_name="stream"))
    return cloudformation.answers[-1]


def started(codebuild: "CodeBuildClient", project: str) -> int:
    return len(codebuild.list_builds_for_project(projectName=project)["ids"])


def test_a_new_image_is_built(codebuild: "CodeBuildClient", project: str, cloudformation: CloudFormation) -> None:
    answer = deliver(cloudformation, "Create", [{"Project": project, "Tag": "1"}])

    assert answer["Status"] == "SUCCESS"
    assert started(codebuild, project) == 1


@pytest.mark.parametrize(("before", "count"), [("1", 0), ("0", 1)])
def test_an_update_builds_what_changed(
    codebuild: "CodeBuildClient", project: str, cloudformation: CloudFormation, before: str, count: int
) -> None:
    # When
    old = {"Builds": [{"Project": project, "Tag": before}]}
    deliver(cloudformation, "Update", [{"Project": project, "Tag": "1"}], OldResourceProperties=old)

    # Then
    assert started(codebuild, project) == count


def test_nothing_is_built_when_the_stack_goes(
    codebuild: "CodeBuildClient", project: str, cloudformation: CloudFormation
) -> None:
    answer = deliver(cloudformation, "Delete", [{"Project": project, "Tag": "1"}])

    assert answer["Status"] == "SUCCESS"
    assert started(codebuild, project) == 0


def test_a_build_that_cannot_be_started_fails_the_stack_with_the_reason(cloudformation: CloudFormation) -> None:
    answer = deliver(cloudformation, "Create", [{"Project": "sdoneks-missing", "Tag": "1"}])

    assert answer["Status"] == "FAILED"
    assert "ResourceNotFoundException" in answer["Reason"]
