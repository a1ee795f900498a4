"""The stack of this name that is there already: ours, somebody else's, or the remains of a failed creation."""

from collections.abc import Iterator

from infra.topology import STACK_DESCRIPTION
from utils.deploy import stack
from utils.deploy.finding import Finding, Subject, error

MOVE = "docs/en/how-to/migrate.md says how to run both side by side and move over."

FAILED_CREATION = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
"""States of a stack that CloudFormation can only delete."""


def check(subject: Subject) -> Iterator[Finding]:
    """A stack that another project made is never updated: that would delete its cluster and queues."""
    found = stack.find(subject.account, subject.stack_name)
    if found is None:
        return
    name, status, region = subject.stack_name, found["StackStatus"], subject.account.region
    if found.get("Description") != STACK_DESCRIPTION and status != "REVIEW_IN_PROGRESS":
        yield error(
            f"the stack {name} in {region} was not made by this project (the AWS guidance names its stack the same), "
            "and an update would delete what is in it",
            f"Deploy under another name: deploy/deploy.sh -n NAME. {MOVE}",
        )
    elif status in FAILED_CREATION:
        yield error(
            f"the stack {name} is in {status}, from which CloudFormation cannot update it",
            f"Remove it, then deploy again: deploy/destroy.sh -n {subject.config.stack_name} -R {region}",
        )
    elif status == "DELETE_IN_PROGRESS":
        yield error(f"the stack {name} is being deleted", "Wait until it is gone, then run the same command again.")
    elif status == "UPDATE_ROLLBACK_FAILED":
        yield error(
            f"the stack {name} is in UPDATE_ROLLBACK_FAILED, from which CloudFormation cannot update it",
            f"aws cloudformation continue-update-rollback --stack-name {name} --region {region}",
        )
