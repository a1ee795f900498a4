"""Refuses an update of the stack that would delete a queue with tasks in it.

A runtime that is renamed in config.yaml is, for CloudFormation, one runtime less and another one more: the old queue
would go with all tasks that wait in it. CloudFormation creates before it deletes, and asks this function in between: it
gets the queues before and after, and fails the update while a queue that would go holds tasks.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .answer import answer

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType

CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})

COUNTS: tuple["QueueAttributeNameType", ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def handle(event: dict[str, Any], context: Any) -> None:
    """Called by CloudFormation as a custom resource with the property ``Queues``, a list of queue URLs."""
    answer(event, context, lambda: objection(event, boto3.client("sqs", config=CLIENT_CONFIG)))


def objection(event: dict[str, Any], sqs: "SQSClient") -> str | None:
    """Why the change must not go on, or None. Creation, and deletion of the whole stack, are never refused.

    Raises botocore's errors when AWS does not tell how full a queue is.
    """
    if event["RequestType"] != "Update":
        return None
    kept = set(event["ResourceProperties"]["Queues"])
    full = list(_with_tasks((url for url in event["OldResourceProperties"]["Queues"] if url not in kept), sqs))
    if not full:
        return None
    return (
        f"queues of runtimes that config.yaml no longer names still hold tasks: {', '.join(full)}. Put the runtimes "
        "back, deploy new ones next to them, send no more tasks to the old ones, and remove them when their queues are "
        "empty; or purge the queues."
    )


def _with_tasks(urls: Iterable[str], sqs: "SQSClient") -> Iterable[str]:
    for url in urls:
        try:
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
        except sqs.exceptions.QueueDoesNotExist:
            continue
        tasks = sum(int(attributes[name]) for name in COUNTS)
        if tasks:
            yield f"{url.rsplit('/', 1)[1]} ({tasks})"
