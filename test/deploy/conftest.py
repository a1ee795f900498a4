"""A clone of the project's files, and a PATH with little on it."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from test.support.aws import Aws, embedded
from test.support.clone import ROOT, TOOLS, run
from test.support.ready import make_ready


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project's files, without anything that was installed."""
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("deploy", "requirements"):
        shutil.copytree(ROOT / name, clone / name)
    for name in ("config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    for name in ("src", "infra", "utils", "charts", "images"):
        (clone / name).symlink_to(ROOT / name)
    return clone


@pytest.fixture
def installed(clone: Path) -> Path:
    """The clone with the packages of this Python, as if it had installed them."""
    venv.create(clone / ".venv", with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = clone / ".venv" / "lib" / version / "site-packages"
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "checkout.pth").write_text(f"{clone}\n{clone}/src\n")
    stamp_checkout(clone / ".venv", clone)
    for name in ("local", "deploy"):
        shutil.copy(clone / "requirements" / f"{name}.txt", clone / ".venv" / f"installed-{name}.txt")
    return clone


def stamp_checkout(environment: Path, clone: Path) -> None:
    """As prepare_venv leaves an environment in which the clone is installed."""
    (environment / "installed-checkout.txt").write_text(f"{clone}\n{(clone / 'pyproject.toml').read_text()}")


@pytest.fixture
def bin_(tmp_path: Path) -> Path:
    """A PATH with the tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is needed"
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture(scope="session")
def one_aws() -> Iterator[Aws]:
    with embedded() as aws:
        yield aws


@pytest.fixture
def aws(one_aws: Aws) -> Aws:
    one_aws.reset()
    return one_aws


@pytest.fixture
def account(aws: Aws) -> Aws:
    """An AWS in which everything that a deployment makes is there already."""
    make_ready(aws)
    return aws


def deploy(clone: Path, bin_: Path, aws: Aws, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(clone, bin_, "-T", "--poll", "0.1", *words, environment={**aws.environment, **environment})


def written(clone: Path) -> dict[str, object]:
    return dict(yaml.safe_load((clone / "config.yaml").read_text()))


def snapshots(aws: Aws) -> list[str]:
    response = aws.client("ec2").describe_snapshots(Filters=[{"Name": "tag:Name", "Values": ["sd-on-eks-image-cache"]}])
    return [one["SnapshotId"] for one in response["Snapshots"]]
