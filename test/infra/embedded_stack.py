"""Creates the part of a template that needs no cluster by moto's CloudFormation.

moto's CloudFormation does not know every kind of resource. Where such a kind carries tasks, it is made here by the API
from the same properties; the others are named in UNKNOWN_TO_MOTO.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from utils.local.cloud import Access

ACCOUNT = "123456789012"
"""moto's own."""

WITHOUT_CLUSTER = (
    "ApiGateway",
    "Lambda",
    "SNS",
    "SQS",
    "S3",
    "IAM",
    "Logs",
    "StepFunctions",
    "Events",
    "DynamoDB",
    "SecretsManager",
)
"""The services of the part that needs no cluster."""

PARTS = (
    "Output",
    "TaskTable",
    "Routing",
    "FrontDoor",
    "WebhookEvents",
    "WebhookSender",
    "QueueGuard",
    "NodeDrain",
    "EbsThroughputTuner",
    "AgentRole",
    "GpuNodeRole",
)
"""The constructs of that part, by how their logical ids begin."""

EVENT_SOURCE = "AWS::Lambda::EventSourceMapping"
"""Left out: moto would run the function in Docker."""

UNKNOWN_TO_MOTO = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}

WITHOUT_ID = {"AWS::ApiGateway::Deployment", "AWS::ApiGateway::Method", "AWS::Lambda::Permission"}
"""What moto makes, and gives no id."""


@dataclass(frozen=True, slots=True)
class EmbeddedStack:
    """A created stack. ``ids`` are physical by logical; ``missing`` are the types that moto passed over."""

    template: Mapping[str, Any]
    access: Access
    ids: Mapping[str, str]
    outputs: Mapping[str, str]
    missing: frozenset[str]

    def resolve(self, value: Any) -> Any:
        """A value of the template, with all that it refers to put in."""
        match value:
            case {"Ref": str(name)}:
                return self._pseudo(name) if name.startswith("AWS::") else self.ids[name]
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute)
            case {"Fn::Join": [separator, parts]}:
                return str(separator).join(str(self.resolve(part)) for part in parts)
            case Mapping():
                return {key: self.resolve(below) for key, below in value.items()}
            case list():
                return [self.resolve(below) for below in value]
            case _:
                return value

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resolved properties by logical id."""
        return {
            name: self.resolve(resource["Properties"])
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == kind
        }

    def _pseudo(self, name: str) -> str:
        known = {"Partition": "aws", "Region": self.access.region, "AccountId": ACCOUNT, "URLSuffix": "amazonaws.com"}
        return known[name.removeprefix("AWS::")]

    def _attribute(self, name: str, attribute: str) -> str:
        kind, physical = self.template["Resources"][name]["Type"], self.ids[name]
        if (kind, attribute) == ("AWS::SQS::Queue", "Arn"):
            return f"arn:aws:sqs:{self.access.region}:{ACCOUNT}:{physical.rsplit('/', 1)[1]}"
        if (kind, attribute) == ("AWS::DynamoDB::Table", "Arn"):
            return f"arn:aws:dynamodb:{self.access.region}:{ACCOUNT}:table/{physical}"
        raise KeyError(f"{kind} {attribute}")


def create(template: Mapping[str, Any], access: Access) -> EmbeddedStack:
    """Create the part without a cluster, on an endpoint where nothing is yet."""
    session = boto3.Session("x", "x", region_name=access.region)
    cloudformation = session.client("cloudformation", endpoint_url=access.endpoint_url)
    s3 = session.client("s3", endpoint_url=access.endpoint_url)
    part = _without_cluster(template)
    _publish_packages(part, s3, access.region)
    name = "embedded"
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(part), Capabilities=["CAPABILITY_IAM"])
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    ids = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        if one.get("PhysicalResourceId")
    }
    resources = part["Resources"]
    made = EmbeddedStack(
        template=template,
        access=access,
        ids=ids,
        outputs={one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]},
        missing=frozenset(resources[name]["Type"] for name in resources.keys() - ids.keys()) - WITHOUT_ID,
    )
    _make_subscriptions(made, session.client("sns", endpoint_url=access.endpoint_url))
    _make_lifecycles(made, s3)
    _make_secrets(made, session.client("secretsmanager", endpoint_url=access.endpoint_url))
    return made


def _without_cluster(template: Mapping[str, Any]) -> dict[str, Any]:
    resources = {
        name: dict(one)
        for name, one in template["Resources"].items()
        if one["Type"].split("::")[1] in WITHOUT_CLUSTER and name.startswith(PARTS) and one["Type"] != EVENT_SOURCE
    }
    for one in resources.values():
        depends = one.pop("DependsOn", [])
        kept = [other for other in ([depends] if isinstance(depends, str) else depends) if other in resources]
        if kept:
            one["DependsOn"] = kept
    outputs = {
        name: one
        for name, one in template["Outputs"].items()
        if all(other in resources or other.startswith("AWS::") for other in _references(one))
    }
    return {"Resources": resources, "Outputs": outputs}


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            yield name
        case Mapping():
            for below in value.values():
                yield from _references(below)
        case list():
            for below in value:
                yield from _references(below)


def _publish_packages(part: Mapping[str, Any], s3: Any, region: str) -> None:
    """What ``cdk deploy`` does before. moto unpacks the packages and runs none of them."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "")
    for one in part["Resources"].values():
        if one["Type"] == "AWS::Lambda::Function":
            place = one["Properties"]["Code"]
            bucket = _filled(place["S3Bucket"], region)
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key=place["S3Key"], Body=package.getvalue())


def _filled(value: Any, region: str) -> str:
    """Text with the pseudo parameters put in; a template for one region has them filled in already."""
    text = str(value["Fn::Sub"]) if isinstance(value, Mapping) else str(value)
    return text.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", region)


def _make_subscriptions(made: EmbeddedStack, sns: Any) -> None:
    for properties in made.of_type("AWS::SNS::Subscription").values():
        sns.subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            Attributes={
                "RawMessageDelivery": str(properties["RawMessageDelivery"]).lower(),
                "FilterPolicyScope": properties["FilterPolicyScope"],
                "FilterPolicy": json.dumps(properties["FilterPolicy"]),
                "RedrivePolicy": json.dumps(properties["RedrivePolicy"]),
            },
        )


def _make_secrets(made: EmbeddedStack, secrets: Any) -> None:
    for properties in made.of_type("AWS::SecretsManager::Secret").values():
        asked = properties["GenerateSecretString"]
        password = secrets.get_random_password(
            PasswordLength=asked["PasswordLength"],
            ExcludePunctuation=asked["ExcludePunctuation"],
            RequireEachIncludedType=asked["RequireEachIncludedType"],
        )["RandomPassword"]
        secrets.create_secret(Name=properties["Name"], SecretString=password)


def _make_lifecycles(made: EmbeddedStack, s3: Any) -> None:
    """moto's CloudFormation makes the bucket and leaves its lifecycle out."""
    for name, properties in made.of_type("AWS::S3::Bucket").items():
        rules = [
            {
                "Status": rule["Status"],
                "Filter": {"Prefix": rule.get("Prefix", "")},
                "Expiration": {"Days": rule["ExpirationInDays"]},
            }
            for rule in properties["LifecycleConfiguration"]["Rules"]
            if "ExpirationInDays" in rule
        ]
        s3.put_bucket_lifecycle_configuration(Bucket=made.ids[name], LifecycleConfiguration={"Rules": rules})
