"""Findings of the rule check that we accept. Each is next to what causes it, with the reason."""

import aws_cdk as cdk
from constructs import IConstruct


def accept(construct: IConstruct, reason: str, *findings: str) -> None:
    """Accept ``findings`` (rule, and for some rules ``[detail]``) on ``construct`` and all below it."""
    cdk.Validations.of(construct).acknowledge(*(cdk.Acknowledgment(id=finding, reason=reason) for finding in findings))


def policy_of_aws(name: str) -> str:
    """The finding that a role has the policy ``name``, which AWS keeps."""
    return f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]"
