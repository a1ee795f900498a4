"""build-and-push.sh with a docker that keeps a list of its calls."""

from pathlib import Path

import pytest

from test.support.aws import ACCOUNT, REGISTRY, Aws
from test.support.clone import fake, run
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
    assert f"{image} is there." in ended[0].stdout


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
    ("words", "docker", "said"),
    [
        ([], None, "Docker is needed, and is not on PATH"),
        ([], "exit 3", "docker login failed with exit code 3"),
        (["--copy", "a", "UPPER"], "", "'UPPER' is not a repository and a tag"),
        (["--platform", "windows"], "", "must be of linux/amd64, linux/arm64, got 'windows'"),
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
    assert ended.returncode in {1, 2}
    assert said in ended.stdout
