"""The script that CodeBuild runs: what it builds and pushes, when it has nothing to do, and when it fails."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.images import AGENT, image_build

ROOT = Path(__file__).parents[2]
REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
LIMIT = 60

PROGRAM = """#!/bin/sh
echo "{name} $*" >> "$CALLS"
case "{name} $*" in
  "aws ecr describe-images"*) exit "${{EXISTS:-1}}" ;;
  "aws ecr get-login-password"*) echo password ;;
  "docker login"*) cat >> "$CALLS" ;;
  "docker $FAILS"*) exit 7 ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A docker and an AWS CLI that write down how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "aws"):
        (folder / name).write_text(PROGRAM.format(name=name))
        (folder / name).chmod(0o755)
    return folder


def build(programs: Path, **more: str) -> tuple[int, list[str]]:
    """The exit code, and the calls of both programs in their order."""
    calls = programs.parent / "calls"
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(calls),
        "FAILS": "nothing",
        "IMAGE_NAME": "comfyui",
        "REGISTRY": REGISTRY,
        "REPOSITORY": "sdoneks/comfyui",
        "TAG": "abc",
        "VERSION": "0.1.0",
        "MIRROR": "public.ecr.aws/docker/library",
        "PACKAGE_INDEX": "",
        "SOURCE_HOST": "https://github.com",
        **more,
    }
    script = ["sh", str(ROOT / "images" / "build.sh")]
    done = subprocess.run(script, cwd=programs.parent, env=environment, timeout=LIMIT, check=False)
    return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def of_docker(calls: Sequence[str], verb: str) -> list[str]:
    return [call for call in calls if call.startswith(f"docker {verb} ")]


def test_an_image_is_built_and_pushed_under_its_tag(programs: Path) -> None:
    # When
    code, calls = build(programs)

    # Then
    image = f"{REGISTRY}/sdoneks/comfyui:abc"
    assert code == 0
    assert of_docker(calls, "login") == [f"docker login --username AWS --password-stdin {REGISTRY}"]
    (built,) = of_docker(calls, "build")
    assert f"--platform linux/amd64 --file images/comfyui/Dockerfile --tag {image} " in built
    assert "--build-arg MIRROR=public.ecr.aws/docker/library " in built
    assert "PIP_INDEX_URL" not in built
    assert calls[-1] == f"docker push {image}"


def test_a_tag_that_exists_is_not_built_again(programs: Path) -> None:
    code, calls = build(programs, EXISTS="0")

    assert code == 0
    assert not [call for call in calls if call.startswith("docker")]


@pytest.mark.parametrize("verb", ["build", "push"])
def test_a_build_or_push_that_fails_fails_the_build(programs: Path, verb: str) -> None:
    code, calls = build(programs, FAILS=verb)

    assert code == 7
    assert calls[-1].startswith(f"docker {verb}")


def test_mirrors_are_used_and_one_in_ecr_is_logged_in_to(programs: Path) -> None:
    # Given
    mirror = "210987654321.dkr.ecr.cn-northwest-1.amazonaws.com.cn"
    more = {
        "MIRROR": f"{mirror}/library",
        "PACKAGE_INDEX": "https://p.example/simple",
        "SOURCE_HOST": "https://g.example",
    }

    # When
    code, calls = build(programs, **more)

    # Then
    assert code == 0
    assert "aws ecr get-login-password --region cn-northwest-1" in calls
    assert f"docker login --username AWS --password-stdin {mirror}" in calls
    (built,) = of_docker(calls, "build")
    for argument in (
        f"MIRROR={mirror}/library",
        "PIP_INDEX_URL=https://p.example/simple",
        "SOURCE_HOST=https://g.example",
    ):
        assert f"--build-arg {argument} " in built


def test_what_is_missing_is_named(programs: Path) -> None:
    code, calls = build(programs, TAG="")

    assert code != 0
    assert calls == []


@pytest.mark.parametrize("revision", ["commit", "refs/tags/v1.0"])
def test_one_commit_is_fetched_without_its_history(tmp_path: Path, revision: str) -> None:
    # Given a repository with two commits
    repository = tmp_path / "host" / "owner" / "name"
    repository.mkdir(parents=True)

    def git(*words: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        done = subprocess.run(
            ["git", *identity, *words], cwd=repository, check=True, capture_output=True, text=True, timeout=LIMIT
        )
        return done.stdout.strip()

    git("init", "--quiet")
    for text in ("old", "new"):
        (repository / "file").write_text(text)
        git("add", "file")
        git("commit", "--quiet", "--message", text)
    git("tag", "v1.0")
    wanted = git("rev-parse", "HEAD") if revision == "commit" else revision

    # When
    script = ["sh", str(ROOT / "images" / "fetch.sh"), "owner/name", wanted, str(tmp_path / "target")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SOURCE_HOST": f"file://{tmp_path / 'host'}"}
    subprocess.run(script, check=True, env=environment, timeout=LIMIT)

    # Then
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["file"]
    assert (tmp_path / "target" / "file").read_text() == "new"


def test_the_script_is_part_of_every_source() -> None:
    for name in (AGENT, "comfyui"):
        assert "images/build.sh" in image_build("x", name).sources
