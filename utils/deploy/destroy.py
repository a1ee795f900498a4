"""Remove a stack. Buckets, logs, a role, snapshots and images stay, and are named at the end."""

import argparse
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from utils.deploy import buckets, stack
from utils.deploy.account import CLIENT, Account, open_account
from utils.deploy.console import DeployError, ask, run, say, step
from utils.deploy.image_cache.machine import NAME as SNAPSHOT_NAME

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

AGAIN = "Run the same command again; what is gone already is passed over."

POLL_SECONDS = 5.0
LIMIT_SECONDS = 3600.0
"""Twice what the guide states."""

COUNTS: tuple["QueueAttributeNameType", ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives the stack, and only the stack can tell. ``logs`` are how names of log groups begin."""

    pictures: str | None
    logs: tuple[str, ...]
    roles: tuple[str, ...]

    @classmethod
    def of(cls, account: Account, told: Mapping[str, Any]) -> "Kept":
        """``told`` is what CloudFormation tells of the stack while it is there."""
        outputs = {one["OutputKey"]: one["OutputValue"] for one in told.get("Outputs", ())}
        # The cluster has the stack's name. API Gateway names its log group by the API, which begins the endpoint.
        logs = [f"/aws/containerinsights/{told['StackName']}/"]
        if endpoint := outputs.get("FrontApiEndpoint"):
            api = str(urllib.parse.urlsplit(endpoint).hostname).partition(".")[0]
            logs.append(f"API-Gateway-Execution-Logs_{api}/")
        return cls(outputs.get("OutputS3Bucket"), tuple(logs), _kept_roles(account, str(told["StackId"])))


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    return run(lambda: _destroy(arguments), again=AGAIN)


def _destroy(arguments: argparse.Namespace) -> None:
    account = open_account(arguments.region)
    name = f"{arguments.stack_name}Stack"
    told = stack.find(account, name)
    if told is None:
        say(f"There is no stack {name} in {account.region}; nothing to remove.")
        return
    stack_id, kept = str(told["StackId"]), Kept.of(account, told)
    say(f"This removes {name} in account {account.id}, {account.region}: the cluster with all its nodes, the API and")
    say("its keys, queues, topics with their subscriptions, network and roles. It cannot be undone.")
    full = _queues_with_tasks(account, arguments.stack_name)
    for queue, count in full.items():
        say(f"  {queue} holds {count} tasks, which would be lost")
    if full and not arguments.yes:
        say("Stop sending requests and wait until they are done, or agree to lose them.")
    if not ask(f"Remove {name}?", yes=arguments.yes):
        raise DeployError(f"{name} was left as it is")
    step(f"Removing {name}; its GPU nodes are drained first", "20 to 30 minutes")
    _delete(account, stack_id, arguments.poll)
    say(f"{name} is gone.")
    _say_what_stays(account, arguments.stack_name, kept)


def _kept_roles(account: Account, stack_id: str) -> tuple[str, ...]:
    cloudformation = account.session.client("cloudformation", config=CLIENT)
    resources = cloudformation.get_template(StackName=stack_id)["TemplateBody"]["Resources"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return tuple(
        one["PhysicalResourceId"]
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::IAM::Role"
        and resources.get(one["LogicalResourceId"], {}).get("DeletionPolicy") == "Retain"
    )


def _queues_with_tasks(account: Account, stack_name: str) -> dict[str, int]:
    """Name and tasks of each queue of the stack that is not empty."""
    sqs = account.session.client("sqs", config=CLIENT)
    found = {}
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{stack_name}_"):
        for url in page.get("QueueUrls", ()):
            told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
            count = sum(int(told[one]) for one in COUNTS)
            if count:
                found[url.rpartition("/")[2]] = count
    return found


def _delete(account: Account, stack_id: str, poll: float) -> None:
    """Wait until the stack is gone. Raises DeployError with the reasons when it stays."""
    cloudformation = account.session.client("cloudformation", config=CLIENT)
    cloudformation.delete_stack(StackName=stack_id)
    deadline = time.monotonic() + LIMIT_SECONDS
    seen: set[str] = set()
    while True:
        told = stack.find(account, stack_id)
        status = told["StackStatus"] if told else "DELETE_COMPLETE"
        reasons = _show_events(cloudformation, stack_id, seen)
        if status == "DELETE_COMPLETE":
            return
        if status == "DELETE_FAILED":
            raise DeployError(
                f"the stack could not be removed: {'; '.join(reasons) or status}",
                "Remove what is named from the VPC or the roles, then run the same command again.",
            )
        if time.monotonic() > deadline:
            raise DeployError(f"the stack is still {status} after {LIMIT_SECONDS / 60:g} minutes", AGAIN)
        time.sleep(poll)


def _show_events(cloudformation: Any, stack_id: str, seen: set[str]) -> list[str]:
    """Print what was removed since the last look. Returns why anything could not be."""
    try:
        told = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    except ClientError:
        return []
    failed = [one for one in told if one.get("ResourceStatus") == "DELETE_FAILED"]
    for event in reversed(told):
        if event["EventId"] not in seen and event.get("ResourceStatus") in {"DELETE_COMPLETE", "DELETE_FAILED"}:
            say(f"    {event['ResourceStatus']:<16} {event['LogicalResourceId']}")
        seen.add(event["EventId"])
    return [f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', '')}" for one in failed]


def _say_what_stays(account: Account, stack_name: str, kept: Kept) -> None:
    say("What stays, and is paid for until you remove it:")
    if kept.pictures:
        say(f"  pictures   aws s3 rb --force s3://{kept.pictures}")
    models = buckets.default_name(stack_name, account)
    if _is_there(account, models):
        say(f"  models     aws s3 rb --force s3://{models}")
    logs = account.session.client("logs", config=CLIENT).get_paginator("describe_log_groups")
    for prefix in kept.logs:
        for page in logs.paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                name = group["logGroupName"]
                say(f"  logs       aws logs delete-log-group --region {account.region} --log-group-name {name}")
    ec2 = account.session.client("ec2", config=CLIENT)
    filters = [{"Name": "tag:Name", "Values": [SNAPSHOT_NAME]}]
    for one in ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]:  # type: ignore[arg-type]  # a list of one shape
        say(f"  snapshot   aws ec2 delete-snapshot --region {account.region} --snapshot-id {one['SnapshotId']}")
    say("  images     in ECR, below sd-on-eks/; other stacks may use them, as they may the snapshots")
    for role in kept.roles:
        say(f"  role       {role}, at no charge: API Gateway may write the logs of all your APIs in {account.region}")
        say("             by it; see docs/en/uninstall.md before you remove it")


def _is_there(account: Account, bucket: str) -> bool:
    try:
        account.session.client("s3", config=CLIENT).head_bucket(Bucket=bucket, ExpectedBucketOwner=account.id)
    except ClientError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="destroy.sh", description=__doc__)
    add = parser.add_argument
    add("-n", "--stack-name", default="sdoneks", metavar="NAME", help="as in config.yaml (default: %(default)s)")
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-y", "--yes", action="store_true", help="do not ask")
    add("--poll", type=float, default=POLL_SECONDS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
