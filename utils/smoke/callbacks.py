"""Receives the callbacks of an output topic and downloads their files, on AWS and on the local platform."""

import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from contract.callback import Callback
from queue_agent.aws.clients import Clients

LOGGER = logging.getLogger(__name__)

LONG_POLL_SECONDS = 10

MESSAGES_AT_ONCE = 10
"""The most that SQS gives."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A queue of its own on the topic: it gets every callback from now on."""

    clients: Clients
    queue_url: str
    subscription_arn: str

    @classmethod
    async def open(cls, clients: Clients, topic_arn: str) -> Self:
        """Make the queue and subscribe it. What this makes stays until ``close``."""
        url = (await clients.sqs.create_queue(QueueName=f"callbacks-{uuid.uuid4()}"))["QueueUrl"]
        response = await clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = response["Attributes"]["QueueArn"]
        await clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, topic_arn)})
        subscribed = await clients.sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )
        return cls(clients, url, subscribed["SubscriptionArn"])

    async def close(self) -> None:
        """Remove the subscription and the queue."""
        await self.clients.sns.unsubscribe(SubscriptionArn=self.subscription_arn)
        await self.clients.sqs.delete_queue(QueueUrl=self.queue_url)

    async def receive(self, seconds: int = LONG_POLL_SECONDS) -> list[Callback]:
        """The callbacks that arrived; none if nothing arrives in ``seconds`` (at most 20). Each is returned once."""
        response = await self.clients.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=MESSAGES_AT_ONCE, WaitTimeSeconds=seconds
        )
        messages = response.get("Messages", [])
        if messages:
            await self.clients.sqs.delete_message_batch(
                QueueUrl=self.queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )
        return [callback for message in messages if (callback := _read(message["Body"]))]


@asynccontextmanager
async def listening(clients: Clients, topic_arn: str) -> AsyncIterator[Listener]:
    """A listener whose queue and subscription are removed at the end of the context."""
    listener = await Listener.open(clients, topic_arn)
    try:
        yield listener
    finally:
        await listener.close()


async def download(clients: Clients, callback: Callback, folder: Path, *, bucket: str | None = None) -> list[Path]:
    """Write the images, and the runtime's response, to ``folder``, below the folders that they have in the bucket.

    ``bucket``: the only one whose objects are read; any where it is None. A callback may be forged by anyone who may
    publish to the topic: nothing is written outside of ``folder``. A file is there only once it is whole. Returns the
    files, images first. Raises OSError for what cannot be written, ValueError for a URL that is not in the bucket or
    would be outside of ``folder``, ClientError for a missing object.
    """
    urls = [*callback.image_url, *([callback.output_url] if callback.output_url else [])]
    return [await _fetch(clients, url, folder, bucket) for url in urls]


async def _fetch(clients: Clients, url: str, folder: Path, only: str | None) -> Path:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if only is not None and bucket != only:
        raise ValueError(f"{url!r} does not name an object of the bucket {only!r}")
    path = _below(folder, key) if url.startswith("s3://") else None
    if path is None:
        raise ValueError(f"{url!r} does not name an object that can be written below {folder}")
    response = await clients.s3.get_object(Bucket=bucket, Key=key)
    async with response["Body"] as body:
        data = await body.read()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _below(folder: Path, key: str) -> Path | None:
    """Where the object is written; None when that is not below ``folder``, wherever links of the file system lead."""
    path, root = folder / key.removesuffix("/"), folder.resolve()
    if not key or ".." in key.split("/") or path.resolve() == root or not path.resolve().is_relative_to(root):
        return None
    return path


def _read(body: str) -> Callback | None:
    try:
        return Callback.model_validate_json(body)
    except ValidationError as error:
        LOGGER.warning("ignored a message that is not a callback: %s", error)
        return None


def _policy(queue_arn: str, topic_arn: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
    )
