"""``APIGW`` of config.yaml: what may be asked of callers, and which keys do not go together."""

from typing import Any

import pytest

from infra.app import check_region
from infra.config.api import Auth
from infra.config.errors import ConfigError
from infra.config.model import parse_config
from infra.config.warnings import warnings_of

RUNTIME = {"name": "sd", "namespace": "sd", "type": "sdwebui", "modelFilename": "sd.safetensors"}
CERTIFICATE = "arn:aws:acm:us-west-2:123456789012:certificate/0a1b2c3d"
DOMAIN = {"name": "api.example.com", "certificateArn": CERTIFICATE}


def _raw(api: Any, **more: Any) -> dict[str, Any]:
    return {"modelBucketArn": "arn:aws:s3:::models", "modelsRuntime": [RUNTIME], "APIGW": api, **more}


def test_what_is_not_said_is_as_it_was() -> None:
    api = parse_config(_raw({})).apigw

    assert (api.auth, api.endpoint, api.vpc_endpoint_ids, api.domain) == (Auth.API_KEY, "REGIONAL", (), None)


@pytest.mark.parametrize("auth", ["API_KEY", "AWS_IAM", "NONE"])
@pytest.mark.parametrize("more", [{"endpoint": "PRIVATE"}, {"domain": DOMAIN}])
def test_each_auth_goes_with_each_endpoint(auth: str, more: dict[str, Any]) -> None:
    assert parse_config(_raw({"auth": auth, **more})).apigw.auth == auth


@pytest.mark.parametrize(
    ("api", "problem"),
    [
        ({"auth": "IAM"}, "APIGW.auth: must be"),
        ({"auth": "aws_iam"}, "APIGW.auth: must be"),
        ({"endpoint": "EDGE"}, "APIGW.endpoint: must be"),
        ({"vpcEndpointIds": ["vpce-0123456789abcdef0"]}, "APIGW.vpcEndpointIds: is only for endpoint: PRIVATE"),
        ({"endpoint": "PRIVATE", "vpcEndpointIds": ["vpc-1"]}, "APIGW.vpcEndpointIds[0]: must be the id of a VPC"),
        ({"endpoint": "PRIVATE", "domain": DOMAIN}, "APIGW.domain: is only for endpoint: REGIONAL"),
        ({"domain": {"name": "api.example.com"}}, "APIGW.domain.certificateArn: is required"),
        ({"domain": {**DOMAIN, "name": "https://api.example.com"}}, "APIGW.domain.name: must be a domain"),
        ({"domain": {**DOMAIN, "certificateArn": "arn:x"}}, "APIGW.domain.certificateArn: must be the ARN"),
        (
            {"domain": {**DOMAIN, "certificateArn": CERTIFICATE.replace("aws:", "aws-cn:", 1)}},
            "APIGW.domain.certificateArn: must be in the partition of modelBucketArn, aws, got",
        ),
    ],
)
def test_what_cannot_be_is_refused(api: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(_raw(api))

    assert any(str(one).startswith(problem) for one in caught.value.problems), [*map(str, caught.value.problems)]


@pytest.mark.parametrize("auth", ["AWS_IAM", "NONE"])
def test_named_clients_need_keys(auth: str) -> None:
    with pytest.raises(ConfigError, match=rf"APIGW\.auth: must be API_KEY where clients are named.*got '{auth}'"):
        parse_config(_raw({"auth": auth}, clients=[{"name": "web"}]))
    parse_config(_raw({"auth": auth}))
    parse_config(_raw({"auth": "API_KEY"}, clients=[{"name": "web"}]))


def test_a_certificate_of_another_region_is_refused() -> None:
    config = parse_config(_raw({"domain": DOMAIN}))

    check_region(config, "us-west-2")
    check_region(config, None)
    with pytest.raises(ConfigError, match=r"APIGW\.domain\.certificateArn: must be in us-east-1, got arn"):
        check_region(config, "us-east-1")


@pytest.mark.parametrize(("endpoint", "who"), [("REGIONAL", "the whole world"), ("PRIVATE", "the VPC endpoint")])
def test_an_open_api_is_warned_of(endpoint: str, who: str) -> None:
    (warning,) = warnings_of(parse_config(_raw({"auth": "NONE", "endpoint": endpoint})))

    assert warning.startswith("APIGW.auth: is NONE")
    assert who in warning
    assert not warnings_of(parse_config(_raw({"auth": "AWS_IAM", "endpoint": endpoint})))
