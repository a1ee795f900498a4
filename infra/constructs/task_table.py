"""The table of the task API."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from contract.task_table import keys
from infra.constructs.acceptance import accept
from infra.topology import TaskTable as Plan


class TaskTable(Construct):
    """Paid by the request, encrypted, and deleted with the stack: items expire anyway, and the results are in S3."""

    def __init__(self, scope: Construct, construct_id: str, *, plan: Plan) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=plan.name,
            partition_key=_text(keys.PARTITION_KEY),
            sort_key=_text(keys.SORT_KEY),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=keys.TTL,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=plan.point_in_time_recovery
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.table.add_global_secondary_index(
            index_name=keys.BY_CLIENT,
            partition_key=_text(keys.BY_CLIENT_PARTITION_KEY),
            sort_key=_text(keys.BY_CLIENT_SORT_KEY),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        if not plan.point_in_time_recovery:
            accept(
                self.table,
                "Items live for weeks and can be lost; taskApi.pointInTimeRecovery turns recovery on.",
                "AwsSolutions-DDB3",
            )

    @property
    def arns(self) -> list[str]:
        """Of the table and its index."""
        return [self.table.table_arn, f"{self.table.table_arn}/index/{keys.BY_CLIENT}"]


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
