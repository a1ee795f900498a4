"""A Lambda function with its own role and log group, and nothing else that it may do."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.constructs.log_group import log_group
from infra.constructs.permission import allow
from infra.packaging import Package

PYTHON = lambda_.Runtime.PYTHON_3_13

FROM_IMAGE = lambda_.Handler.FROM_IMAGE

ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """What all functions of a stack share. ``architecture`` is a key of ARCHITECTURES."""

    architecture: str
    log_retention_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionProps:
    """One function. ``reserved_concurrency`` None: it shares the account's; ``tracing``: X-Ray segments are sent.

    ``code`` that is a container image has the ``handler`` FROM_IMAGE, and brings its own Python.
    """

    code: lambda_.Code
    handler: str
    description: str
    settings: FunctionSettings
    timeout: cdk.Duration
    memory_mb: int
    environment: Mapping[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    tracing: bool = False


class Function(Construct):
    """``function`` writes its own log group, and traces if asked to; what it needs beyond is granted outside."""

    def __init__(self, scope: Construct, construct_id: str, props: FunctionProps) -> None:
        super().__init__(scope, construct_id)
        self.logs = log_group(self, "Logs", retention_days=props.settings.log_retention_days)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        allow(self.role, ["logs:CreateLogStream", "logs:PutLogEvents"], [self.logs.log_group_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.FROM_IMAGE if props.handler == FROM_IMAGE else PYTHON,
            architecture=ARCHITECTURES[props.settings.architecture],
            code=props.code,
            handler=props.handler,
            role=self.role,
            log_group=self.logs,
            logging_format=lambda_.LoggingFormat.JSON,
            timeout=props.timeout,
            memory_size=props.memory_mb,
            description=props.description,
            environment=dict(props.environment),
            reserved_concurrent_executions=props.reserved_concurrency,
            tracing=lambda_.Tracing.ACTIVE if props.tracing else lambda_.Tracing.DISABLED,
        )
        if props.tracing:
            accept(self.role, "X-Ray takes segments for the whole account only.", "AwsSolutions-IAM5[Resource::*]")
        if props.handler != FROM_IMAGE:
            accept(self.function, "Python 3.13 is what the packages are built and tested for.", "AwsSolutions-L1")


def packaged(scope: Construct, package: Package, architecture: str) -> lambda_.Code:
    """An asset that is packed when it is published, so that a synthesis needs no network."""
    command = [sys.executable, "-m", "infra.packaging", package.name, architecture]
    place = cdk.Stack.of(scope).synthesizer.add_file_asset(
        source_hash=package.fingerprint(architecture), executable=command, display_name=package.name
    )
    bucket = s3.Bucket.from_bucket_name(scope, "Assets", place.bucket_name)
    accept(
        scope,
        "The key is a hash of the contents.",
        "Annotation::@aws-cdk/aws-lambda:codeFromBucketObjectVersionNotSpecified",
    )
    return lambda_.Code.from_bucket(bucket, place.object_key)
