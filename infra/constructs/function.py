"""A Lambda function with its own role and log group, and nothing else that it may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.constructs.log_group import log_group
from infra.constructs.permission import allow

PYTHON = lambda_.Runtime.PYTHON_3_13

ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """What all functions of a stack share. ``architecture`` is a key of ARCHITECTURES."""

    architecture: str
    log_retention_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionProps:
    """One function. ``reserved_concurrency`` None: it shares the account's; ``tracing``: X-Ray segments are sent."""

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
        logs = log_group(self, "Logs", retention_days=props.settings.log_retention_days)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        allow(self.role, ["logs:CreateLogStream", "logs:PutLogEvents"], [logs.log_group_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=PYTHON,
            architecture=ARCHITECTURES[props.settings.architecture],
            code=props.code,
            handler=props.handler,
            role=self.role,
            log_group=logs,
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
        accept(self.function, "Python 3.13 is what the packages are built and tested for.", "AwsSolutions-L1")
