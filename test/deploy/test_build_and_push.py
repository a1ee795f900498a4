"""build-and-push.sh with a docker that keeps a list of its calls."""

from pathlib import Path

import pytest

from infra.versions import COLLECTOR_IMAGE
from test.support.aws import ACCOUNT, REGISTRY, Aws
from test.support.clone import ROOT, fake, run
from utils.deploy.images import agent_tag

SCRIPT = "deploy/build-and-push.sh"


def repositories(aws: Aws, region: str = "us-west-2") -> list[str]:
    return [one["repositoryName"] for one in aws.client("ecr", region).describe_repositories()["repositories"]]


def test_the_agents_image_is_built_and_pushed(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    docker = fake(bin_, "docker", '[ "$1" != login ] || cat >"$0.password"')
    # When
    ended = [run(installed, bin_, script=SCRIPT, environment=aws.environment) for _ in range(2)]
    # Then
    assert [one.returncode for one in ended] == [0, 0], ended[0].stdout
    image = f"{REGISTRY}/sd-on-eks/queue-agent:{agent_tag()}"
    calls = docker.read_text().splitlines()[:2]
    assert calls == [
        f"login --username AWS --password-stdin {REGISTRY}",
        (
            f"buildx build --platform linux/amd64 --build-arg VERSION={agent_tag()} "
            f"--file {installed}/images/queue-agent/Dockerfile --tag {image} --push {installed}"
        ),
    ]
    password = (bin_ / "docker.password").read_text()
    assert password
    assert password not in ended[0].stdout + docker.read_text()
    assert repositories(aws) == ["sd-on-eks/queue-agent"]
    assert f"{image} is in ECR." in ended[0].stdout


def test_a_runtimes_image_is_copied_to_china(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    docker = fake(bin_, "docker")
    # When
    words = ["-R", "cn-northwest-1", "--copy", "example.com/webui:1", "sd-on-eks/sdwebui:latest"]
    ended = run(installed, bin_, *words, script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    registry = f"{ACCOUNT}.dkr.ecr.cn-northwest-1.amazonaws.com.cn"
    assert docker.read_text().splitlines() == [
        "pull --platform linux/amd64 example.com/webui:1",
        f"tag example.com/webui:1 {registry}/sd-on-eks/sdwebui:latest",
        f"login --username AWS --password-stdin {registry}",
        f"push {registry}/sd-on-eks/sdwebui:latest",
    ]
    assert repositories(aws, "cn-northwest-1") == ["sd-on-eks/sdwebui"]


@pytest.mark.parametrize(
    ("target", "words", "platform"),
    [
        ("karpenter/controller:1", [], "linux/arm64"),
        ("kedacore/keda:2", [], "linux/arm64"),
        (COLLECTOR_IMAGE, [], "linux/arm64"),
        ("kedacore/keda:2", ["--platform", "linux/amd64"], "linux/amd64"),
        ("mine/comfyui:1", [], "linux/amd64"),
    ],
)
def test_a_copy_is_for_the_nodes_that_run_it(  # noqa: PLR0917 (three of them are the table's)
    target: str, words: list[str], platform: str, installed: Path, bin_: Path, aws: Aws
) -> None:
    # Given
    docker = fake(bin_, "docker")
    # When
    ended = run(installed, bin_, "--copy", "a", target, *words, script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert docker.read_text().splitlines()[0] == f"pull --platform {platform} a"


def test_the_agents_image_is_built_on_another_base_for_both_platforms(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    docker = fake(bin_, "docker")
    # When
    words = ["--base", "mirror.example.cn/python:3.13-slim", "--platform", "linux/amd64,linux/arm64"]
    ended = run(installed, bin_, *words, script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    (build,) = [call for call in docker.read_text().splitlines() if call.startswith("buildx build")]
    assert "--platform linux/amd64,linux/arm64 " in build
    assert "--build-arg PYTHON=mirror.example.cn/python:3.13-slim " in build
    assert "ARG PYTHON=" in (ROOT / "images" / "queue-agent" / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--copy", "a", "UPPER"], "'UPPER' is not a repository and a tag"),
        (["--copy", "a", "mine:1", "--platform", "linux/amd64,linux/arm64"], "--copy takes one platform"),
        (["--copy", "a", "mine:1", "--base", "c"], "--base and --tag are for building"),
        (["--platform", "windows"], "must be of linux/amd64, linux/arm64, got 'windows'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_pulled(
    words: list[str], said: str, installed: Path, bin_: Path, aws: Aws
) -> None:
    # Given
    docker = fake(bin_, "docker")
    # When
    ended = run(installed, bin_, *words, script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 2
    assert said in ended.stdout
    assert not docker.exists()
    assert repositories(aws) == []


@pytest.mark.parametrize(
    ("words", "docker", "said"),
    [
        ([], None, "Docker is needed, and is not on PATH"),
        ([], "exit 3", "docker login failed with exit code 3"),
        (["--copy", "a", "mine:1"], "exit 1", "docker pull failed with exit code 1"),
    ],
)
def test_what_is_wrong_is_said(  # noqa: PLR0917 (three of them are the table's)
    words: list[str], docker: str | None, said: str, installed: Path, bin_: Path, aws: Aws
) -> None:
    # Given
    if docker is not None:
        fake(bin_, "docker", docker)
    # When
    ended = run(installed, bin_, *words, script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 1
    assert said in ended.stdout
