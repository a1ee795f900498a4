"""Who may call the API, and from where: keys, signatures or nothing, the internet, a domain or VPC endpoints."""

import json
from typing import Any

from test.infra.configs import SIGNED
from test.infra.reading import of_type, plain, the_one
from test.infra.synthesis import Synthesis, template_in


def _refusals(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["ResponseType"]: one for one in of_type(template, "AWS::ApiGateway::GatewayResponse").values()}


def test_signed_requests_need_no_key(signed: dict[str, Any]) -> None:
    methods = of_type(signed, "AWS::ApiGateway::Method").values()

    assert {(one["AuthorizationType"], one["ApiKeyRequired"]) for one in methods} == {("AWS_IAM", False)}
    for kind in ("ApiKey", "UsagePlan", "UsagePlanKey"):
        assert not of_type(signed, f"AWS::ApiGateway::{kind}")


def test_an_open_api_asks_for_nothing(opened: dict[str, Any]) -> None:
    methods = of_type(opened, "AWS::ApiGateway::Method").values()

    assert {(one["AuthorizationType"], one["ApiKeyRequired"]) for one in methods} == {("NONE", False)}


def test_without_keys_the_stage_throttles(
    signed: dict[str, Any], opened: dict[str, Any], default: dict[str, Any]
) -> None:
    def limits(template: dict[str, Any]) -> tuple[Any, Any]:
        every = the_one(template, "AWS::ApiGateway::Stage")["MethodSettings"]
        (settings,) = [one for one in every if one["ResourcePath"] == "/*"]
        return settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")

    assert limits(signed) == (5, 7)
    assert limits(opened) == (30, 50)
    assert limits(default) == (None, None)


def test_refusals_of_signatures_keep_api_gateways_own_status_and_text(signed: dict[str, Any]) -> None:
    refusals = _refusals(signed)

    for kind in ("MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE", "EXPIRED_TOKEN", "ACCESS_DENIED"):
        assert "StatusCode" not in refusals[kind]
        body = refusals[kind]["ResponseTemplates"]["application/json"]
        assert body == '{"message":$context.error.messageString}'
    assert json.loads(refusals["THROTTLED"]["ResponseTemplates"]["application/json"])["errors"] == []


def test_an_open_api_says_what_it_does_not_have(opened: dict[str, Any]) -> None:
    assert _refusals(opened)["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == "404"


def test_outputs_say_what_callers_need(signed: dict[str, Any], opened: dict[str, Any]) -> None:
    for template in (signed, opened):
        assert not {"GetAPIKeyCommand", "ApiKeyIds"} & template["Outputs"].keys()
    arn = plain(signed["Outputs"]["ApiInvokeArn"]["Value"])
    assert arn.startswith("arn:<Partition>:execute-api:<Region>:<AccountId>:<FrontDoorApi")
    assert arn.endswith("/dev/*/*")
    assert "ApiInvokeArn" not in opened["Outputs"]


def test_a_private_api_is_reached_by_the_stacks_own_vpc_endpoint(signed: dict[str, Any]) -> None:
    # When
    api = the_one(signed, "AWS::ApiGateway::RestApi")
    ((name, endpoint),) = [
        (name, one) for name, one in of_type(signed, "AWS::EC2::VPCEndpoint").items() if "ApiEndpoint" in name
    ]

    # Then
    assert api["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": [f"<{name}>"]}
    assert endpoint["VpcEndpointType"] == "Interface"
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["ServiceName"].endswith(".execute-api")
    assert len(endpoint["SubnetIds"]) == 3
    group = the_one(signed, "AWS::EC2::SecurityGroup", "NetworkVpcApiCallers")
    (rule,) = group["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("10.0.0.0/16", 443, 443)
    (statement,) = api["Policy"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    assert statement["Principal"] == {"AWS": "arn:<Partition>:iam::<AccountId>:root"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceVpce": [f"<{name}>"]}}


def test_a_private_api_is_reached_by_the_users_vpc_endpoints(synthesise: Synthesis) -> None:
    # Given
    ids = ["vpce-0123456789abcdef0", "vpce-11111111"]
    config = {**SIGNED, "APIGW": {"endpoint": "PRIVATE", "vpcEndpointIds": ids}, "sync": {}}

    # When
    template = template_in(synthesise("private", config))

    # Then
    api = the_one(template, "AWS::ApiGateway::RestApi")
    assert api["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": ids}
    assert not [name for name in of_type(template, "AWS::EC2::VPCEndpoint") if "ApiEndpoint" in name]
    (statement,) = api["Policy"]["Statement"]
    assert statement["Principal"] == {"AWS": "*"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceVpce": ids}}
    assert of_type(template, "AWS::ApiGateway::ApiKey")


def test_a_domain_leads_to_the_stage(opened: dict[str, Any]) -> None:
    # When
    domain = the_one(opened, "AWS::ApiGateway::DomainName")
    mapping = the_one(opened, "AWS::ApiGateway::BasePathMapping")

    # Then
    assert (domain["DomainName"], domain["SecurityPolicy"]) == ("api.example.com", "TLS_1_2")
    assert domain["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert domain["RegionalCertificateArn"].startswith("arn:aws:acm:us-west-2:")
    assert mapping["Stage"].startswith("<FrontDoorApi")
    assert "BasePath" not in mapping
    assert opened["Outputs"]["FrontApiEndpoint"]["Value"]
    assert plain(opened["Outputs"]["ApiDomainTarget"]["Value"]).endswith(".RegionalDomainName>")
    assert not of_type(opened, "AWS::ApiGateway::RestApi").get("Policy")
