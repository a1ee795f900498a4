"""A Lambda function with its own role and log group, and nothing else that it may do."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.constructs.log_group import log_group
from infra.constructs.permission import allow

PYTHON = lambda_.Runtime.PYTHON_3_13

ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class Function(Construct):
    """``function`` writes its own log group, and traces if told so; what it needs beyond is granted outside."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.Code,
        handler: str,
        architecture: str,
        log_retention_days: int,
        timeout: cdk.Duration,
        memory_mb: int,
        description: str,
        environment: Mapping[str, str] | None = None,
        reserved_concurrency: int | None = None,
        tracing: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        logs = log_group(self, "Logs", retention_days=log_retention_days)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        allow(self.role, ["logs:CreateLogStream", "logs:PutLogEvents"], [logs.log_group_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=PYTHON,
            architecture=ARCHITECTURES[architecture],
            code=code,
            handler=handler,
            role=self.role,
            log_group=logs,
            logging_format=lambda_.LoggingFormat.JSON,
            timeout=timeout,
            memory_size=memory_mb,
            description=description,
            environment=dict(environment or {}),
            reserved_concurrent_executions=reserved_concurrency,
            tracing=lambda_.Tracing.ACTIVE if tracing else lambda_.Tracing.DISABLED,
        )
        if tracing:
            accept(self.role, "X-Ray takes segments for the whole account only.", "AwsSolutions-IAM5[Resource::*]")
        accept(self.function, "Python 3.13 is what the packages are built and tested for.", "AwsSolutions-L1")
