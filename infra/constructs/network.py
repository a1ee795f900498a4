"""The network: public subnets for the NAT gateways, private ones for everything else."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.config.model import Vpc
from infra.constructs.acceptance import accept
from infra.constructs.log_group import log_group

ZONES = 3
ZONES_OF_SMALL_REGIONS = {"us-west-1": 2}
"""Regions that show fewer zones to an account."""

SUBNET_BITS = 3
"""An eighth of the network for each subnet: six are used, and two are left for growth."""


class Network(Construct):
    """A VPC over three zones (two in small regions), with free endpoints of S3 and DynamoDB, so that neither models nor
    the writes of tasks pass a NAT gateway."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Vpc, log_retention_days: int) -> None:
        super().__init__(scope, construct_id)
        zones = config.availability_zones or self._first_zones()
        mask = int(config.cidr.split("/")[1]) + SUBNET_BITS
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(config.cidr),
            availability_zones=list(zones),
            nat_gateways=min(config.nat_gateways, len(zones)),
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=mask),
                ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=mask),
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDB": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        if config.flow_logs:
            group = log_group(self, "FlowLogs", retention_days=log_retention_days)
            self.vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group))
        else:
            accept(self.vpc, "Flow logs cost by traffic; vpc.flowLogs turns them on.", "AwsSolutions-VPC7")

    def _first_zones(self) -> Sequence[str]:
        region = cdk.Stack.of(self).region
        count = ZONES if cdk.Token.is_unresolved(region) else ZONES_OF_SMALL_REGIONS.get(region, ZONES)
        return [cdk.Fn.select(number, cdk.Fn.get_azs()) for number in range(count)]
