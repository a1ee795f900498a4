"""``APIGW`` of config.yaml: the REST API, who may call it, and from where."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from contract.errors import Problem, shown
from infra.config.clients import MAX_BURST, MAX_REQUESTS
from infra.config.section import Section
from infra.config.types import CertificateArn, DomainName, Many, Stage, VpcEndpointId


class Auth(StrEnum):
    """What the API asks of a request: the key of a usage plan, a signature of IAM (SigV4), or nothing."""

    API_KEY = "API_KEY"
    AWS_IAM = "AWS_IAM"
    NONE = "NONE"


class Throttle(Section):
    """Of each API key, or of the stage where there are none: requests per second, and how many may come at once."""

    rate_limit: float = Field(default=30, gt=0, le=MAX_REQUESTS)
    burst_limit: int = Field(default=50, ge=1, le=MAX_BURST)


class Domain(Section):
    """A domain of the user's own; ``certificate_arn`` is that of a certificate in ACM, in the stack's region."""

    name: DomainName
    certificate_arn: CertificateArn


class Api(Section):
    """The REST API.

    ``endpoint: PRIVATE``: only VPC endpoints reach it, those of ``vpc_endpoint_ids``, or one that the stack makes in
    its own VPC.
    """

    stage_name: Stage = "dev"
    auth: Annotated[Auth, Field(strict=False)] = Auth.API_KEY
    endpoint: Literal["REGIONAL", "PRIVATE"] = "REGIONAL"
    vpc_endpoint_ids: Annotated[tuple[VpcEndpointId, ...], Many] = ()
    domain: Domain | None = None
    throttle: Throttle = Throttle()


def api_problems(raw: Mapping[str, Any]) -> Iterable[Problem]:
    """What keys of APIGW, and other keys with them, get wrong together."""
    api = raw.get("APIGW")
    if not isinstance(api, Mapping):
        return
    auth, private = api.get("auth", Auth.API_KEY), api.get("endpoint") == "PRIVATE"
    if raw.get("clients") and auth in {Auth.AWS_IAM, Auth.NONE}:
        yield Problem(
            "APIGW.auth",
            f"must be API_KEY where clients are named, since a request is a client's by its key, got {shown(auth)}; "
            "leave clients out, or set API_KEY",
        )
    if api.get("vpcEndpointIds") and not private:
        yield Problem("APIGW.vpcEndpointIds", "is only for endpoint: PRIVATE; leave it out, or set that")
    if isinstance(api.get("domain"), Mapping) and private:
        yield Problem("APIGW.domain", "is only for endpoint: REGIONAL; leave it out, or set that")
