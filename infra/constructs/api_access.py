"""From where the API is reached: the internet, a domain of the user's own, or VPC endpoints only."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from infra.config.api import Api, Auth, Domain

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """``vpc_endpoints``: the only ones that reach the API; empty: it is on the internet."""

    vpc_endpoints: Sequence[ec2.IVpcEndpoint] = ()
    domain: Domain | None = None

    @property
    def endpoint(self) -> apigateway.EndpointConfiguration:
        if not self.vpc_endpoints:
            return apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL])
        return apigateway.EndpointConfiguration(
            types=[apigateway.EndpointType.PRIVATE], vpc_endpoints=list(self.vpc_endpoints)
        )

    def policy(self, auth: Auth) -> iam.PolicyDocument | None:
        """Of a private API, which lets nobody in without one. Signed requests must be of the stack's account, whose
        IAM policies say more; others have no principal that could be named."""
        if not self.vpc_endpoints:
            return None
        everybody = iam.AccountRootPrincipal() if auth is Auth.AWS_IAM else iam.AnyPrincipal()
        statement = iam.PolicyStatement(
            principals=[everybody],
            actions=["execute-api:Invoke"],
            resources=["execute-api:/*"],
            conditions={"StringEquals": {"aws:SourceVpce": [one.vpc_endpoint_id for one in self.vpc_endpoints]}},
        )
        return iam.PolicyDocument(statements=[statement])

    def add_domain(self, api: apigateway.RestApi) -> apigateway.DomainName | None:
        """The user's domain, whose root is the stage; None where there is none."""
        if self.domain is None:
            return None
        certificate = acm.Certificate.from_certificate_arn(api, "Certificate", self.domain.certificate_arn)
        return api.add_domain_name(
            "Domain",
            domain_name=self.domain.name,
            certificate=certificate,
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )


def api_access(config: Api, vpc: ec2.Vpc, cidr: str) -> ApiAccess:
    """As the config asks for. An endpoint that it does not name is made in ``vpc``, whose addresses are ``cidr``."""
    if config.endpoint == "REGIONAL":
        return ApiAccess(domain=config.domain)
    if config.vpc_endpoint_ids:
        return ApiAccess([_named(vpc, name) for name in config.vpc_endpoint_ids])
    callers = ec2.SecurityGroup(
        vpc, "ApiCallers", vpc=vpc, description="Callers of the private API", allow_all_outbound=False
    )
    callers.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(HTTPS_PORT), "The VPC")
    made = vpc.add_interface_endpoint(
        "ApiEndpoint",
        service=ec2.InterfaceVpcEndpointAwsService.APIGATEWAY,
        private_dns_enabled=True,
        open=False,
        security_groups=[callers],
        subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
    )
    return ApiAccess([made])


def _named(vpc: ec2.Vpc, name: str) -> ec2.IVpcEndpoint:
    return ec2.InterfaceVpcEndpoint.from_interface_vpc_endpoint_attributes(
        vpc, name, vpc_endpoint_id=name, port=HTTPS_PORT
    )
