"""In which network the machine works: no default VPC is needed."""

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import DeployError

CLUSTER_TAG = "karpenter.sh/discovery"
"""On the private subnets of a stack, with the stack's name; they reach the internet by its NAT gateway."""


def subnet_of(account: Account, subnet_id: str | None, stack_name: str) -> str:
    """The subnet of that id, or a private one of the stack if it is deployed, or one of the default VPC.

    Raises DeployError when there is none.
    """
    ec2 = account.session.client("ec2", config=CLIENT)
    choices: tuple[tuple[str, list[str]], ...] = (
        (("subnet-id", [subnet_id]),)
        if subnet_id
        else ((f"tag:{CLUSTER_TAG}", [stack_name]), ("default-for-az", ["true"]))
    )
    for name, values in choices:
        found = ec2.describe_subnets(Filters=[{"Name": name, "Values": values}])["Subnets"]
        if found:
            return min(one["SubnetId"] for one in found)
    if subnet_id:
        raise DeployError(f"there is no subnet {subnet_id} in {account.region}", "Name another with --subnet.")
    raise DeployError(
        f"{account.region} has neither the stack {stack_name} nor a default VPC in which images could be pulled",
        "Name a subnet with a way to the internet: --subnet subnet-…",
    )
