"""Which AWS account, partition and region the scripts work in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    UnknownRegionError,
)
from botocore.exceptions import ConnectionError as NotConnected
from botocore.utils import IMDSRegionProvider

from utils.deploy.console import DeployError

CLIENT = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5})
"""A call ends within minutes, whatever the network does."""

ENDPOINT_URL = "AWS_ENDPOINT_URL"

ALLOW_ENDPOINT_URL = "ALLOW_AWS_ENDPOINT_URL"
"""Set to 1 by those who deploy through an endpoint on purpose."""

CREDENTIALS_HELP = (
    "Sign in: `aws configure`, or `aws sso login --profile NAME` and `export AWS_PROFILE=NAME`,",
    "or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN).",
)


class KeptClients(boto3.Session):
    """A session that makes each client once: the checks before a deployment ask a few services dozens of times, and a
    client costs up to 0.1 s of CPU. Clients may be shared by threads."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._kept: dict[Any, Any] = {}

    if not TYPE_CHECKING:  # the SDK's overloads, one a service, stay in force

        def client(self, service_name: str, region_name: str | None = None, *, config: Config | None = None) -> Any:
            """The client of this service, Region and configuration."""
            key = (service_name, region_name, config)
            if key not in self._kept:
                self._kept[key] = super().client(service_name, region_name=region_name, config=config)
            return self._kept[key]


@dataclass(frozen=True, slots=True)
class Account:
    """``id`` has 12 digits; ``suffix`` ends the names of its services' hosts."""

    session: boto3.Session
    id: str
    partition: str
    region: str

    @property
    def suffix(self) -> str:
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @property
    def registry(self) -> str:
        """Its own ECR."""
        return f"{self.id}.dkr.ecr.{self.region}.{self.suffix}"


def open_account(region: str | None, environment: Mapping[str, str] = os.environ) -> Account:
    """Sign in. ``region`` None takes the environment's, the profile's, or that of the machine (IMDS).

    Raises DeployError without credentials or a region, and when a variable sends the calls elsewhere than to AWS.
    """
    _refuse_other_endpoints(environment)
    try:
        session = boto3.Session(region_name=region or environment.get("AWS_REGION") or None)
        chosen = session.region_name or _region_of_machine(session)
        if not chosen:
            raise DeployError("no AWS region is set", "Name it with -R, or `export AWS_DEFAULT_REGION=us-west-2`.")
        partition = session.get_partition_for_region(chosen)
    except UnknownRegionError:
        raise DeployError(f"{region or chosen!r} is not an AWS region", "Name one such as us-west-2.") from None
    except BotoCoreError as error:
        raise DeployError(f"the AWS profile cannot be used: {error}", *CREDENTIALS_HELP) from error
    session = KeptClients(region_name=chosen)
    return Account(session, _identity(session, chosen), partition, chosen)


def _refuse_other_endpoints(environment: Mapping[str, str]) -> None:
    """A terminal in which the local platform was used still has its endpoint: nothing would be deployed to AWS."""
    if environment.get(ALLOW_ENDPOINT_URL) == "1":
        return
    for name, value in sorted(environment.items()):
        if value and (name == ENDPOINT_URL or name.startswith(f"{ENDPOINT_URL}_")):
            raise DeployError(
                f"{name} is set to {value}, so the calls would go there and not to AWS (to the embedded AWS of the "
                "local platform, for example)",
                f"unset {name}",
                f"Or, if it is meant, as for a VPC endpoint: export {ALLOW_ENDPOINT_URL}=1",
            )


def _identity(session: boto3.Session, region: str) -> str:
    try:
        return session.client("sts", region_name=region, config=CLIENT).get_caller_identity()["Account"]
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DeployError("there are no AWS credentials", *CREDENTIALS_HELP) from error
    except ClientError as error:
        raise DeployError(
            f"AWS does not accept these credentials in {region}: {error}",
            *CREDENTIALS_HELP,
            "Accounts of China work in the regions of China only, and others outside them: check the region.",
        ) from error
    except (NotConnected, HTTPClientError) as error:
        raise DeployError(
            f"AWS cannot be reached: {error}", "Check the network and proxy settings (HTTPS_PROXY), then run it again."
        ) from error
    except BotoCoreError as error:
        raise DeployError(
            f"the identity of these credentials cannot be looked up: {error}", *CREDENTIALS_HELP
        ) from error


def _region_of_machine(session: boto3.Session) -> str | None:
    found: str | None = IMDSRegionProvider(session._session).provide()  # noqa: SLF001 (boto3 does not ask IMDS itself)
    return found
