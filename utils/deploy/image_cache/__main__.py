"""Keep container images in an EBS snapshot. Prints its id, for dataVolume.snapshotID in config.yaml."""

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence

from botocore.exceptions import ClientError

from infra.config.errors import ConfigError
from infra.config.model import Eks, load_config
from utils.deploy.account import CLIENT, Account, open_account
from utils.deploy.config_file import ROOT
from utils.deploy.console import DeployError, run, say, step
from utils.deploy.image_cache import cache
from utils.deploy.image_cache.machine import POLL_SECONDS, Plan

INSTANCE_TYPE = "m5.large"
SIZE = 50
MIN_SIZE, MAX_SIZE = 5, 16384

AGAIN = "Nothing of this run stays behind; run the same command again."


def default_ami(kubernetes: str) -> str:
    """The parameter with the newest Bottlerocket for nodes with GPUs: image layers are unpacked alike on all x86."""
    return f"/aws/service/bottlerocket/aws-k8s-{kubernetes}-nvidia/x86_64/latest/image_id"


def kubernetes_version() -> str:
    """What config.yaml says, or the default while it cannot be read."""
    try:
        return load_config(ROOT / "config.yaml").eks.version
    except ConfigError:
        return Eks().version


def plan_of(
    account: Account,
    *,
    ami: str | None = None,
    instance_type: str = INSTANCE_TYPE,
    role: str | None = None,
    size: int = SIZE,
    encrypt: bool = False,
    kms_id: str | None = None,
    poll: float = POLL_SECONDS,
) -> Plan:
    """``ami`` names an SSM parameter. Raises DeployError when there is none of this name."""
    ami = ami or default_ami(kubernetes_version())
    ssm = account.session.client("ssm", config=CLIENT)
    try:
        image_id = ssm.get_parameter(Name=ami)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        raise DeployError(
            f"there is no SSM parameter {ami} in {account.region}",
            "Name that of a Bottlerocket AMI of this region with --ami.",
        ) from None
    return Plan(
        image_id=image_id,
        instance_type=instance_type,
        size=size,
        profile=_profile_of(account, role) if role else None,
        encrypt=encrypt or kms_id is not None,
        kms_id=kms_id,
        poll=poll,
    )


def _profile_of(account: Account, role: str) -> str:
    """The instance profile that carries the role; ``role`` may also be the profile's own name. Raises DeployError."""
    iam = account.session.client("iam", config=CLIENT)
    with contextlib.suppress(iam.exceptions.NoSuchEntityException):
        profiles = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
        if profiles:
            return profiles[0]["InstanceProfileName"]
    with contextlib.suppress(iam.exceptions.NoSuchEntityException):
        return iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]["InstanceProfileName"]
    raise DeployError(
        f"no instance profile carries the role {role}",
        f"aws iam create-instance-profile --instance-profile-name {role}",
        f"aws iam add-role-to-instance-profile --instance-profile-name {role} --role-name {role}",
        "Or leave out --instance-role, and a role is made for the time of the run.",
    )


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    # With --quiet only the id goes to stdout; faults go to stderr in any case.
    shown = contextlib.redirect_stdout(io.StringIO()) if arguments.quiet else contextlib.nullcontext()
    made: list[str] = []
    with shown:
        code = run(lambda: made.append(_make(arguments)), again=AGAIN)
    if made:
        say(made[0] if arguments.quiet else f"All done. The snapshot is {made[0]}")
    return code


def _make(arguments: argparse.Namespace) -> str:
    images = cache.checked([one.strip() for one in arguments.images.split(",") if one.strip()])
    account = open_account(arguments.region)
    step(f"Image cache in {account.region}: {len(images)} images", "5 to 15 minutes")
    try:
        plan = plan_of(
            account,
            ami=arguments.ami,
            instance_type=arguments.instance_type,
            role=arguments.instance_role,
            size=arguments.snapshot_size,
            encrypt=arguments.encrypt,
            kms_id=arguments.kms_id,
            poll=arguments.poll,
        )
        return cache.make(account, images, plan)
    except ClientError as error:
        raise DeployError(f"AWS refused: {error}", AGAIN) from error


def _size(text: str) -> int:
    if not text.isdigit() or not MIN_SIZE <= int(text) <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"must be {MIN_SIZE} to {MAX_SIZE} GiB, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="snapshot.sh", description=__doc__)
    add, ami = parser.add_argument, default_ami(kubernetes_version())
    add("-r", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-a", "--ami", metavar="PARAMETER", help=f"SSM parameter of the AMI (default: {ami})")
    add("-i", "--instance-type", default=INSTANCE_TYPE, metavar="TYPE", help="default: %(default)s")
    add("-R", "--instance-role", metavar="ROLE", help="default: a role that is made, and removed afterwards")
    add("-q", "--quiet", action="store_true", help="print only the snapshot's id")
    add("-e", "--encrypt", action="store_true", help="encrypt the snapshot")
    add("-k", "--kms-id", metavar="KEY", help="encrypt it with this KMS key")
    add("-s", "--snapshot-size", type=_size, default=SIZE, metavar="GIB", help="default: %(default)s")
    add("--poll", type=float, default=POLL_SECONDS, help=argparse.SUPPRESS)
    add("images", help="full names of the images, with commas in between")
    return parser


if __name__ == "__main__":
    sys.exit(main())
