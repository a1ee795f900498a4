"""On which machine the images of a snapshot are pulled."""

import contextlib

from infra.config.errors import ConfigError
from infra.config.model import Config, Eks, load_config
from utils.deploy.account import CLIENT, Account
from utils.deploy.config_file import ROOT, Answers
from utils.deploy.console import DeployError
from utils.deploy.image_cache.machine import POLL_SECONDS, Plan
from utils.deploy.image_cache.subnet import subnet_of

INSTANCE_TYPE = "m5.large"
SIZE = 50
"""GiB."""


def default_ami(kubernetes: str) -> str:
    """The parameter with the newest standard Bottlerocket. Image layers are unpacked alike on all x86.

    Not the variant for GPUs: without one it stops at loading the driver, and never reports to Systems Manager
    (bottlerocket#4435).
    """
    return f"/aws/service/bottlerocket/aws-k8s-{kubernetes}/x86_64/latest/image_id"


def kubernetes_version() -> str:
    """What config.yaml says, or the default while it cannot be read."""
    config = _config()
    return (config.eks if config else Eks()).version


def stack_name() -> str:
    """Of the stack that config.yaml describes; that of the project's own file while it cannot be read."""
    config = _config()
    return f"{config.stack_name if config else Answers().stack_name}Stack"


def _config() -> Config | None:
    try:
        return load_config(ROOT / "config.yaml")
    except ConfigError:
        return None


def plan_of(
    account: Account,
    *,
    ami: str | None = None,
    instance_type: str = INSTANCE_TYPE,
    subnet: str | None = None,
    role: str | None = None,
    size: int = SIZE,
    encrypt: bool = False,
    kms_id: str | None = None,
    poll: float = POLL_SECONDS,
) -> Plan:
    """``ami`` names an SSM parameter, ``subnet`` an id. Raises DeployError when there is none of this name."""
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
        subnet=subnet_of(account, subnet, stack_name()),
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
