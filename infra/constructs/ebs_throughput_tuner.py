"""Slows a GPU node's data volume down once the images are loaded: EventBridge → Step Functions → Lambda."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.constructs.function import Function, FunctionProps, FunctionSettings
from infra.constructs.karpenter_policy import CLUSTER as CLUSTER_TAG
from infra.constructs.log_group import log_group
from infra.constructs.permission import allow, wildcards

SOURCE = Path(__file__).parents[1] / "functions"

DATA_DEVICE = "/dev/xvdb"
"""Bottlerocket's second volume, which holds the images."""

MEMORY_MB = 128
TIMEOUT = cdk.Duration.minutes(1)


class EbsThroughputTuner(Construct):
    """Every instance that starts in the account is looked at, and only nodes of this cluster are touched: their tags
    are not in the event."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster_name: str,
        delay_seconds: int,
        settings: FunctionSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        made = Function(
            self,
            "Handler",
            FunctionProps(
                code=lambda_.Code.from_asset(str(SOURCE), exclude=["**", "!ebs_throughput_tuner.py"]),
                handler="ebs_throughput_tuner.handle",
                description="Slows down the data volume of a GPU node",
                settings=settings,
                timeout=TIMEOUT,
                memory_mb=MEMORY_MB,
                environment={"CLUSTER_NAME": cluster_name, "DATA_DEVICE": DATA_DEVICE},
            ),
        )
        _allow_tuning(made.role, cluster_name)
        machine = self._machine(made.function, delay_seconds, settings.log_retention_days)
        events.Rule(
            self,
            "InstanceStarts",
            event_pattern=events.EventPattern(
                source=["aws.ec2"],
                detail_type=["EC2 Instance State-change Notification"],
                detail={"state": ["running"]},
            ),
            targets=[
                targets.SfnStateMachine(
                    machine,
                    input=events.RuleTargetInput.from_object(
                        {"instance": events.EventField.from_path("$.detail.instance-id")}
                    ),
                )
            ],
        )

    def _machine(self, function: lambda_.IFunction, delay_seconds: int, log_retention_days: int) -> sfn.StateMachine:
        wait = sfn.Wait(self, "Images load", time=sfn.WaitTime.duration(cdk.Duration.seconds(delay_seconds)))
        tune = tasks.LambdaInvoke(self, "Slow down", lambda_function=function, payload_response_only=True)
        tune.add_retry(
            errors=[sfn.Errors.TASKS_FAILED], interval=cdk.Duration.seconds(30), max_attempts=5, backoff_rate=2
        )
        machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_chainable(wait.next(tune)),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group(self, "Logs", retention_days=log_retention_days), level=sfn.LogLevel.ALL
            ),
        )
        accept(
            machine,
            "Log delivery and X-Ray have no narrower resources; ':*' is any version of the one function.",
            *wildcards(self, ["*", f"{function.function_arn}:*"]),
        )
        return machine


def _allow_tuning(role: iam.Role, cluster_name: str) -> None:
    allow(
        role,
        ["ec2:DescribeInstances", "ec2:DescribeVolumes"],
        ["*"],
        because="EC2 describes the things of an account only, not single ones.",
    )
    allow(
        role,
        ["ec2:ModifyVolume"],
        [f"arn:{cdk.Aws.PARTITION}:ec2:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:volume/*"],
        because="Volumes come and go with nodes; the condition holds it to those of the cluster.",
        conditions={"StringEquals": {f"aws:ResourceTag/{CLUSTER_TAG}": cluster_name}},
    )
