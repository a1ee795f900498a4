"""Delete a stack. Buckets, logs, a role, snapshots and copied images stay, and are named at the end."""

import argparse
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from utils.deploy import buckets, log_groups, stack
from utils.deploy.account import CLIENT, Account, open_account
from utils.deploy.console import DeployError, ask, run, say, step
from utils.deploy.image_cache.machine import NAME as SNAPSHOT_NAME

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

AGAIN = "Run the same command again; what is deleted already is skipped."

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
    """What outlives the stack, read from it while it exists. ``logs`` are prefixes of log groups."""

    images: str | None
    logs: tuple[str, ...]
    roles: tuple[str, ...]

    @classmethod
    def of(cls, account: Account, response: Mapping[str, Any]) -> "Kept":
        """``response`` describes the stack while it exists."""
        outputs = {one["OutputKey"]: one["OutputValue"] for one in response.get("Outputs", ())}
        # Lambda names its groups by the functions, which begin with the stack's name; API Gateway by the API, whose id
        # begins the endpoint.
        name = response["StackName"]
        logs = [f"/aws/containerinsights/{name}/", f"/aws/eks/{name}/", f"/aws/lambda/{name}-"]
        if endpoint := outputs.get("FrontApiEndpoint"):
            api = str(urllib.parse.urlsplit(endpoint).hostname).partition(".")[0]
            logs.append(f"API-Gateway-Execution-Logs_{api}/")
        return cls(outputs.get("OutputS3Bucket"), tuple(logs), _kept_roles(account, str(response["StackId"])))


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    return run(lambda: _destroy(arguments), again=AGAIN)


def _destroy(arguments: argparse.Namespace) -> None:
    account = open_account(arguments.region)
    name = f"{arguments.stack_name}Stack"
    response = stack.find(account, name)
    if response is None:
        say(f"There is no stack {name} in {account.region}; nothing to delete.")
        return
    stack_id, kept = str(response["StackId"]), Kept.of(account, response)
    say(f"This deletes {name} in account {account.id}, {account.region}: the cluster with all its nodes, the API and")
    say("its keys, queues, topics with their subscriptions, network and roles. It cannot be undone.")
    full = _queues_with_tasks(account, arguments.stack_name)
    for queue, count in full.items():
        say(f"  {queue} holds {count} tasks, which would be lost")
    if full and not arguments.yes:
        say("Stop sending requests and wait until they are done, or agree to lose them.")
    if not ask(f"Delete {name}?", yes=arguments.yes):
        raise DeployError(f"{name} was left as it is")
    step(f"Deleting {name}; its GPU nodes are drained first", "20 to 30 minutes")
    _delete(account, stack_id, arguments.poll)
    say(f"{name} is deleted.")
    log_groups.remove_orphans(account, arguments.stack_name)
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
            response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
            count = sum(int(response[one]) for one in COUNTS)
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
        response = stack.find(account, stack_id)
        status = response["StackStatus"] if response else "DELETE_COMPLETE"
        reasons = _show_events(cloudformation, stack_id, seen)
        if status == "DELETE_COMPLETE":
            return
        if status == "DELETE_FAILED":
            raise DeployError(
                f"the stack could not be deleted: {'; '.join(reasons) or status}",
                "Remove your additions to the VPC or the roles that are named, then run the same command again.",
            )
        if time.monotonic() > deadline:
            raise DeployError(f"the stack is still {status} after {LIMIT_SECONDS / 60:g} minutes", AGAIN)
        time.sleep(poll)


def _show_events(cloudformation: Any, stack_id: str, seen: set[str]) -> list[str]:
    """Print what was removed since the last look. Returns why anything could not be."""
    try:
        response = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    except ClientError:
        return []
    failed = [one for one in response if one.get("ResourceStatus") == "DELETE_FAILED"]
    for event in reversed(response):
        if event["EventId"] not in seen and event.get("ResourceStatus") in {"DELETE_COMPLETE", "DELETE_FAILED"}:
            say(f"    {event['ResourceStatus']:<16} {event['LogicalResourceId']}")
        seen.add(event["EventId"])
    return [f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', '')}" for one in failed]


def _say_what_stays(account: Account, stack_name: str, kept: Kept) -> None:
    say("What stays, and is charged until you delete it:")
    if kept.images:
        say(f"  images     aws s3 rb --force s3://{kept.images}")
    models = buckets.default_name(stack_name, account)
    if _is_there(account, models):
        say(f"  models     aws s3 rb --force s3://{models}")
    for prefix in kept.logs:
        for name in log_groups.existing(account, prefix):
            say(f"  logs       aws logs delete-log-group --region {account.region} --log-group-name {name}")
    ec2 = account.session.client("ec2", config=CLIENT)
    filters = [{"Name": "tag:Name", "Values": [SNAPSHOT_NAME]}]
    for one in ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]:  # type: ignore[arg-type]  # a list of one shape
        say(f"  snapshot   aws ec2 delete-snapshot --region {account.region} --snapshot-id {one['SnapshotId']}")
    say("  containers what you pushed to ECR; other stacks may use it, as they may the snapshots")
    for role in kept.roles:
        say(f"  role       {role}, at no charge: API Gateway may write the logs of all your APIs in {account.region}")
        say("             by it; see docs/en/how-to/remove.md before you delete it")


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
