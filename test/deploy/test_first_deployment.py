"""deploy.sh in an account in which there is nothing, on a machine without Docker."""

import json
import sys
import time
from pathlib import Path

import pytest

from infra.images import image_build
from test.support.aws import ACCOUNT, AMI, REGION, REGISTRY, Aws
from test.support.clone import ROOT, fake, run
from test.support.ready import BOTTLEROCKET, BUCKET, OUTPUTS
from utils.deploy.model_folders import FOLDERS

AGENT, RUNTIME = (image_build("sdoneks", name) for name in ("queue-agent", "comfyui"))


@pytest.fixture
def cdk(bin_: Path) -> Path:
    """The list of its calls. It makes what a deployment makes."""
    where = f"PYTHONPATH={ROOT}:{ROOT / 'src'}"
    return fake(bin_, "cdk", f'{where} {sys.executable} -m test.support.fake_cdk "$@"')


@pytest.fixture
def empty(aws: Aws) -> Aws:
    """An account in which builds push their images."""
    images = {build.project: build for build in (AGENT, RUNTIME)}

    def push(project: str) -> None:
        aws.push(images[project].repository, images[project].tag)

    aws.stand_ins.codebuild.push = push
    return aws


def deploy(clone: Path, bin_: Path, aws: Aws, *options: str) -> tuple[int, str]:
    ended = run(clone, bin_, "-T", "--poll", "0.1", "-t", "comfyui", *options, environment=aws.environment)
    return ended.returncode, ended.stdout


def test_an_empty_account_is_brought_to_outputs_without_docker(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given
    assert not (bin_ / "docker").exists()
    empty.record()
    # When
    code, printed = deploy(installed, bin_, empty)
    # Then
    assert code == 0, printed
    assert "no findings" in printed
    assert cdk.read_text().splitlines() == [
        f"bootstrap aws://{ACCOUNT}/{REGION}",
        "deploy --no-rollback --require-approval never sdoneksStack",
    ]
    for value in OUTPUTS.values():
        assert value in printed
    # And the bucket with its folders is there before the stack whose pods mount it
    calls = empty.recorded()
    created = calls.index("cloudformation CreateStack")
    puts = [calls.index(f"s3 PUT /{BUCKET}/{folder}/.keep") for folder in FOLDERS]
    assert calls.index(f"s3 PUT /{BUCKET}") < min(puts) < max(puts) < created
    assert calls.index("iam CreateServiceLinkedRole") < created
    # And nothing was made before the checks had ended
    assert max(n for n, call in enumerate(calls) if call == "ec2 DescribeInstanceTypeOfferings") < min(puts)
    # And the images were built, with their progress
    assert sorted(empty.stand_ins.codebuild.started) == [RUNTIME.project, AGENT.project]
    assert "queue-agent  build" in printed
    assert "queue-agent  completed" in printed
    assert all(tags(empty, build.repository) == [build.tag] for build in (AGENT, RUNTIME))


def test_builds_that_the_stack_started_are_watched_and_not_started_again(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given
    empty.stand_ins.codebuild.running = {AGENT.project: f"{AGENT.project}:7", RUNTIME.project: f"{RUNTIME.project}:8"}
    # When
    code, printed = deploy(installed, bin_, empty)
    # Then
    assert code == 0, printed
    assert empty.stand_ins.codebuild.started == []


def test_a_build_that_fails_shows_the_end_of_its_log_and_is_tried_again(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given
    logs = empty.client("logs")
    logs.create_log_group(logGroupName="/builds")
    logs.create_log_stream(logGroupName="/builds", logStreamName="one")
    event = {"timestamp": int(time.time() * 1000), "message": "no space left on device\n"}
    logs.put_log_events(logGroupName="/builds", logStreamName="one", logEvents=[event])
    empty.stand_ins.codebuild.status = "FAILED"
    # When
    code, printed = deploy(installed, bin_, empty)
    # Then
    assert code == 1
    assert "images could not be built: queue-agent (failed), comfyui (failed)" in printed
    assert "      no space left on device" in printed
    assert "The whole log: https://console.example.com/one" in printed
    # And when it is repeated
    empty.stand_ins.codebuild.status = "SUCCEEDED"
    fake(bin_, "cdk")
    code, printed = deploy(installed, bin_, empty)
    assert code == 0, printed
    assert len(empty.stand_ins.codebuild.started) == 4


def test_an_error_among_the_checks_stops_before_anything_is_made(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given two errors and a warning
    empty.stand_ins.eks.versions = {"1.36": "STANDARD_SUPPORT"}
    empty.stand_ins.quotas.values |= {"L-3819A6DF": 0, "L-DB2E81BA": 0}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    empty.client("cloudformation").create_stack(StackName="sdoneksStack", TemplateBody=json.dumps(template))
    # When
    code, printed = deploy(installed, bin_, empty)
    # Then
    assert code == 1
    assert "was not made by this project" in printed
    assert "EKS does not offer Kubernetes 1.35" in printed
    assert "no GPU node can start" in printed
    assert "2 errors above must be fixed first; nothing was made in the account" in printed
    assert empty.client("s3").list_buckets()["Buckets"] == []
    assert not cdk.exists()
    assert "your-model-bucket" in (installed / "config.yaml").read_text()


@pytest.mark.timeout(600)  # the template is synthesised for its price
def test_a_dry_run_prints_findings_plan_and_price_and_makes_nothing(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given
    empty.stand_ins.quotas.values |= {"L-3819A6DF": 0, "L-DB2E81BA": 0}
    # When
    code, printed = deploy(installed, bin_, empty, "-d")
    # Then
    assert code == 0, printed
    assert "warning: no GPU node can start" in printed
    assert f"model bucket  s3://{BUCKET}, made and filled by the deployment" in printed
    assert f"image         {REGISTRY}/{AGENT.reference}, built in the account" in printed
    assert "USD a month while idle" in printed
    assert "no role AWSServiceRoleForEC2Spot, which Spot instances need; a deployment would make it" in printed
    assert empty.client("s3").list_buckets()["Buckets"] == []
    assert empty.client("iam").list_roles()["Roles"] == []
    assert not cdk.exists()
    assert BUCKET in (installed / "config.yaml").read_text()


def test_an_image_cache_is_made_after_the_images_and_brought_by_a_second_deployment(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given
    empty.ssm.parameters[BOTTLEROCKET] = AMI
    # When
    code, printed = deploy(installed, bin_, empty, "--image-cache")
    # Then
    assert "cdk deploy failed" not in printed, printed
    filters = [{"Name": "tag:Name", "Values": ["sd-on-eks-image-cache"]}]
    (snapshot,) = empty.client("ec2").describe_snapshots(Filters=filters)["Snapshots"]
    assert f"snapshotID: {snapshot['SnapshotId']}" in (installed / "config.yaml").read_text()
    assert [command.split()[-1] for command in empty.ssm.commands] == [
        f"{REGISTRY}/{build.reference}" for build in (RUNTIME, AGENT)
    ]
    assert cdk.read_text().splitlines()[1:] == ["deploy --no-rollback --require-approval never sdoneksStack"] * 2
    assert code == 0, printed


def test_logs_of_a_destroyed_stack_are_deleted_after_a_question(
    installed: Path, bin_: Path, cdk: Path, empty: Aws
) -> None:
    # Given
    empty.client("logs").create_log_group(logGroupName="/aws/eks/sdoneksStack/cluster")
    # When
    alone, (code, printed) = deploy(installed, bin_, empty), deploy(installed, bin_, empty, "-y")
    # Then
    assert alone[0] == 1
    assert "Delete /aws/eks/sdoneksStack/cluster with the logs of the former stack?" in alone[1]
    assert code == 0, printed
    assert empty.client("logs").describe_log_groups()["logGroups"] == []


def tags(aws: Aws, repository: str) -> list[str]:
    return [one["imageTag"] for one in aws.client("ecr").list_images(repositoryName=repository)["imageIds"]]
