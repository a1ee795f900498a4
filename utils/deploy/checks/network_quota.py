"""Whether the account may have one more network with its public addresses."""

from collections.abc import Iterator

from utils.deploy import stack
from utils.deploy.account import CLIENT
from utils.deploy.finding import Finding, Subject, warning
from utils.deploy.quotas import increase, quota

VPCS = ("vpc", "L-F678F1CE")
"""VPCs per Region; 5 in a new account."""

ADDRESSES = ("ec2", "L-0263D0A3")
"""EC2-VPC Elastic IPs; 5 in a new account."""


def check(subject: Subject) -> Iterator[Finding]:
    """Only for a stack that is new: one that is there has its network."""
    account = subject.account
    if stack.find(account, subject.stack_name) is not None:
        return
    ec2 = account.session.client("ec2", config=CLIENT)
    pages = ec2.get_paginator("describe_vpcs").paginate()
    used = sum(len(page["Vpcs"]) for page in pages)
    yield from _short(subject, "VPCs", VPCS, used, 1)
    taken = len(ec2.describe_addresses()["Addresses"])
    yield from _short(subject, "public addresses", ADDRESSES, taken, subject.config.vpc.nat_gateways)


def _short(subject: Subject, what: str, which: tuple[str, str], used: int, more: int) -> Iterator[Finding]:
    limit = quota(subject.account, *which)
    if used + more > limit:
        yield warning(
            f"{subject.account.region} has {used} of the {limit:g} {what} that the account may have, and the stack "
            f"needs {more} more",
            increase(subject.account, *which, used + more),
        )
