"""The kinds of values in config.yaml, and what each may be."""

import ipaddress
import re
import zoneinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from contract.image_kit import ROUTES
from contract.task import checked_prefix

MAX_RETENTION_DAYS = 3650

OUR_NAMESPACES = ("amazon-cloudwatch", "keda", "telemetry")

MIN_VPC_PREFIX = 16
"""The largest VPC that AWS makes."""

MAX_VPC_PREFIX = 20
"""Each of six subnets then holds 500 addresses; every pod takes one."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET_ARN = re.compile(r"arn:(aws|aws-cn):s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])")
_ADMIN_ARN = re.compile(r"arn:(aws|aws-cn):iam::[0-9]{12}:(role|user)/\S+")
_INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_ZONE = re.compile(r"[a-z]{2}(-[a-z0-9]+)+-[0-9]+[a-z]")
_STAGE = re.compile(r"[A-Za-z0-9_]{1,128}")
_VERSION = re.compile(r"1\.[0-9]{2}")
_MODEL = re.compile(r"[^\s/\\\x00-\x1f][^/\\\x00-\x1f]{0,254}")
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_CHART_SOURCE = re.compile(r"(oci|https|http)://[^\s/]+(/\S*)?")
_IMAGE_FOLDER = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-][a-z0-9]+)*)*")
_CRON_PART = re.compile(r"(\*|(?P<first>[0-9]{1,2})(-(?P<last>[0-9]{1,2}))?)(/[1-9][0-9]?)?")
_CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_CERTIFICATE_ARN = re.compile(r"arn:(aws|aws-cn):acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+")
_VPC_ENDPOINT = re.compile(r"vpce-[0-9a-f]{8,17}")
_ENDPOINT_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_ROUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_IMAGE_URI = re.compile(
    r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+(:[A-Za-z0-9_.-]{1,128}|@sha256:[0-9a-f]{64})"
)
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


def matching(pattern: re.Pattern[str], rule: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {rule}")
        return value

    return AfterValidator(check)


def _checked_namespace(value: str) -> str:
    if value.startswith("kube-") or value in OUR_NAMESPACES:
        raise ValueError(f"must not begin with 'kube-', nor be one of the platform's own, {', '.join(OUR_NAMESPACES)}")
    return value


def _checked_runtime_name(value: str) -> str:
    if value == "default":
        raise ValueError("must not be 'default', the service account that every pod of a namespace has")
    return value


def _checked_link_host(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        if not _HOST.fullmatch(value) or value.replace(".", "").isdigit():
            raise ValueError(
                "must be a host name such as 'files.example.com' or a CIDR such as '10.1.0.0/16'"
            ) from None
    return value


def _checked_folder(value: str) -> str:
    try:
        return checked_prefix(value)
    except ValueError:
        raise ValueError(
            "must be a folder such as 'web' or 'team/web': no leading '/', no '.' or '..', not below '.platform'"
        ) from None


def _checked_access_cidr(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("must be a CIDR such as '203.0.113.0/24', with no host bits set") from None
    return value


def _checked_cidr(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise ValueError("must be an IPv4 CIDR such as '10.0.0.0/16', with no host bits set") from None
    if not MIN_VPC_PREFIX <= network.prefixlen <= MAX_VPC_PREFIX:
        raise ValueError(f"must be from /{MIN_VPC_PREFIX} to /{MAX_VPC_PREFIX}, so that six subnets hold the pods")
    return value


def _enough_zones(value: tuple[str, ...]) -> tuple[str, ...]:
    if value and (len(value) not in {2, 3} or len(set(value)) != len(value)):
        raise ValueError("must be two or three different zones, or be left out")
    return value


def _checked_time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("must be a time zone such as 'UTC' or 'Europe/Berlin'") from None
    return value


def _checked_cron(value: str) -> str:
    fields = value.split()
    if len(fields) != len(_CRON_FIELDS) or not all(map(_is_cron_field, fields, _CRON_FIELDS)):
        raise ValueError("must be five fields of cron such as '0 8 * * 1-5': minute, hour, day, month, weekday")
    return " ".join(fields)


def _is_cron_field(text: str, bounds: tuple[int, int]) -> bool:
    lowest, highest = bounds
    for part in text.split(","):
        found = _CRON_PART.fullmatch(part)
        if not found:
            return False
        numbers = [int(number) for number in found.group("first", "last") if number]
        if not all(lowest <= number <= highest for number in numbers) or numbers != sorted(numbers):
            return False
    return True


def _checked_route(value: str) -> str:
    if value in ROUTES or value.startswith("v1alpha"):
        raise ValueError(f"must not be a path of the API itself: {', '.join(ROUTES)}, and what begins with 'v1alpha'")
    return value


def _at_least_one(value: Any) -> Any:
    if value == []:
        raise ValueError("must hold at least one runtime")
    return value


def _not_empty(value: Any) -> Any:
    if value == []:
        raise ValueError("must hold at least one; leave the key out for all")
    return value


def _nothing_for_empty(value: Any) -> Any:
    return None if value == "" else value


Name = matching(_NAME, "lower-case letters, digits and '-', and begin and end with a letter or digit")
ClientName = Annotated[str, Field(min_length=1, max_length=40), Name]
RuntimeName = Annotated[str, Field(min_length=1, max_length=40), Name, AfterValidator(_checked_runtime_name)]
"""Part of the names of queues (80 characters), Helm releases (53) and Kubernetes labels (63)."""
Namespace = Annotated[str, Field(min_length=1, max_length=63), Name, AfterValidator(_checked_namespace)]
Bucket = Annotated[str, matching(_BUCKET, "the name of an S3 bucket, without 's3://' and without a path")]
InstanceType = Annotated[str, matching(_INSTANCE_TYPE, "an EC2 instance type such as 'm7g.large'")]
Zone = Annotated[str, matching(_ZONE, "the name of an availability zone such as 'us-east-1a'")]
ModelFile = Annotated[
    str,
    matching(_MODEL, "the file name of a model, such as 'v1-5-pruned-emaonly.safetensors', without a folder"),
]
StackName = Annotated[str, matching(_STACK_NAME, "a letter, then up to 31 letters, digits and '-'")]
BucketArn = Annotated[str, matching(_BUCKET_ARN, "'arn:aws:s3:::BUCKET', or 'arn:aws-cn:s3:::BUCKET' in China")]
AdminArn = Annotated[str, matching(_ADMIN_ARN, "the ARN of an IAM role or user")]
Stage = Annotated[str, matching(_STAGE, "1 to 128 letters, digits and '_'")]
KubernetesVersion = Annotated[str, matching(_VERSION, 'a Kubernetes version in quotes, such as "1.35"')]
Email = Annotated[str, matching(_EMAIL, "an e-mail address")]
LinkHost = Annotated[str, AfterValidator(_checked_link_host)]
AccessCidr = Annotated[str, AfterValidator(_checked_access_cidr)]
VpcCidr = Annotated[str, AfterValidator(_checked_cidr)]
Folder = Annotated[str, AfterValidator(_checked_folder)]
Zones = Annotated[tuple[Zone, ...], Field(strict=False), AfterValidator(_enough_zones)]
ChartSource = Annotated[str, matching(_CHART_SOURCE, "a chart's address that begins with oci://, https:// or http://")]
ImageFolder = Annotated[
    str, matching(_IMAGE_FOLDER, "a registry's host and folder such as 'public.ecr.aws/docker/library', without a tag")
]
WebAddress = Annotated[str, matching(_WEB_ADDRESS, "an address that begins with https:// or http://")]
DomainName = Annotated[str, matching(_DOMAIN, "a domain in lower case such as 'api.example.com'")]
CertificateArn = Annotated[str, matching(_CERTIFICATE_ARN, "the ARN of a certificate in ACM")]
VpcEndpointId = Annotated[str, matching(_VPC_ENDPOINT, "the id of a VPC endpoint such as 'vpce-0123456789abcdef0'")]
EndpointName = Annotated[
    str, matching(_ENDPOINT_NAME, "the name of a SageMaker endpoint: 1 to 63 letters, digits and '-'")
]
RoutePath = Annotated[
    str, matching(_ROUTE, "one part of a path, letters, digits, '-', '.' and '_'"), AfterValidator(_checked_route)
]
ImageUri = Annotated[
    str,
    matching(_IMAGE_URI, "an image in ECR with tag or digest, '123456789012.dkr.ecr.REGION.amazonaws.com/NAME:TAG'"),
]
TimeZone = Annotated[str, AfterValidator(_checked_time_zone)]
Cron = Annotated[str, AfterValidator(_checked_cron)]
Days = Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)]
NotEmpty = BeforeValidator(_not_empty)
AtLeastOne = BeforeValidator(_at_least_one)
Emptiable = BeforeValidator(_nothing_for_empty)
"""The guide's sample writes optional keys as ""."""
Many = Field(strict=False)
"""YAML has lists where we hold tuples."""
