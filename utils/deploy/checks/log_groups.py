"""Log groups that an earlier stack of the name left behind."""

from collections.abc import Iterator

from utils.deploy import log_groups, stack
from utils.deploy.finding import Finding, Subject, warning


def check(subject: Subject) -> Iterator[Finding]:
    """CloudFormation cannot make a group that is there; the deployment deletes it after asking."""
    if stack.find(subject.account, subject.stack_name) is not None:
        return
    for name in log_groups.orphans(subject.account, subject.config.stack_name):
        region = subject.account.region
        yield warning(
            f"the log group {name} of an earlier stack is in the way of the new one; the deployment asks, and "
            "deletes it",
            f"To keep its lines, export them first: aws logs create-export-task --region {region} …",
        )
