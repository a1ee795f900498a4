"""Log groups that AWS makes again after a stack is deleted, which are in the way of the next stack of the name."""

from collections.abc import Iterator

from infra.log_groups import log_groups_of
from utils.deploy.account import CLIENT, Account
from utils.deploy.console import say


def existing(account: Account, prefix: str) -> Iterator[str]:
    """Names of the log groups that begin with ``prefix``."""
    logs = account.session.client("logs", config=CLIENT)
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        yield from (group["logGroupName"] for group in page["logGroups"])


def orphans(account: Account, stack_name: str) -> list[str]:
    """Groups under the names that a stack gives to its own. Only meaningful where there is no such stack.

    ``stack_name`` is that of the config, without "Stack".
    """
    return [name for name in log_groups_of(stack_name) if name in existing(account, name)]


def remove_orphans(account: Account, stack_name: str) -> None:
    """Delete them. Only where there is no such stack; ``stack_name`` as for ``orphans``."""
    logs = account.session.client("logs", config=CLIENT)
    for name in orphans(account, stack_name):
        logs.delete_log_group(logGroupName=name)
        say(f"    deleted the log group {name} of the former stack")
