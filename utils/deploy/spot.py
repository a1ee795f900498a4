"""The role that EC2 wants in an account before its first Spot instance. Karpenter may not make it."""

from botocore.exceptions import ClientError

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import say, warn

SERVICE = "spot.amazonaws.com"
ROLE = "AWSServiceRoleForEC2Spot"
COMMAND = f"aws iam create-service-linked-role --aws-service-name {SERVICE}"


def prepare(account: Account, *, dry_run: bool) -> None:
    """Make the role unless it is there; ``dry_run`` only says that a deployment would.

    A refusal is a warning: without the role all nodes are on-demand, which works, and costs more.
    """
    iam = account.session.client("iam", config=CLIENT)
    try:
        pages = iam.get_paginator("list_roles").paginate(PathPrefix=f"/aws-service-role/{SERVICE}/")
        if any(page["Roles"] for page in pages):
            return
        if dry_run:
            say(f"The account has no role {ROLE}, which Spot instances need; a deployment would make it.")
            return
        iam.create_service_linked_role(AWSServiceName=SERVICE)
    except ClientError as error:
        warn(
            f"the role {ROLE} cannot be looked up or made: {error}\n"
            f"  Without it every GPU node is on-demand, at more than twice the price. An administrator makes it by:\n"
            f"  {COMMAND}"
        )
    else:
        say(f"    made {ROLE}, which Spot instances need, once in an account")
