"""What the function reads and writes in AWS. Every call raises botocore's errors."""

import asyncio
from typing import Any

import boto3
from botocore.config import Config

from contract.task_event import TaskEvent
from contract.task_table import webhooks
from contract.task_table.item import TaskItem
from contract.task_table.writes import CONDITION_FAILED
from contract.wire import message_group, text_attributes
from webhook_lambda.record import Record
from webhook_lambda.settings import Settings

LIMITS = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
"""Seconds; with all tries a call takes less than the function may take for a message."""


class Clients:
    """boto3's clients, kept from call to call. They may be used from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session) -> None:
        def client(service: Any, config: Config = LIMITS) -> Any:
            return session.client(service, endpoint_url=settings.endpoint_url, config=config)

        self.sqs = client("sqs")
        self.dynamodb = client("dynamodb")
        self.secrets = client("secretsmanager")
        self.s3 = client("s3", LIMITS.merge(Config(signature_version="s3v4")))


class Tasks:
    """The table of tasks."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def read(self, event: TaskEvent) -> TaskItem | None:
        """The event's task; None when it was deleted, or when another has its id. Raises ValidationError, too."""
        request = webhooks.read(self._table, event.client, event.id)
        answer = await asyncio.to_thread(self._dynamodb.get_item, **request)
        item = TaskItem.from_values(answer["Item"]) if "Item" in answer else None
        return item if item and item.request == event.request else None

    async def tried(self, event: TaskEvent, status: int | None, state: str | None) -> None:
        """Note a try. Nothing is written when the task is gone, or when its webhook is delivered already."""
        request = webhooks.tried(self._table, event.client, event.id, request=event.request, status=status, state=state)
        try:
            await asyncio.to_thread(self._dynamodb.update_item, **request)
        except self._dynamodb.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != CONDITION_FAILED:
                raise


class Queue:
    """The queue of the events, and that of its dead letters."""

    def __init__(self, sqs: Any, url: str, dead_letter_url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._dead_letter_url = dead_letter_url

    async def hide(self, record: Record, seconds: float) -> None:
        """Give the message back after ``seconds``."""
        await asyncio.to_thread(
            self._sqs.change_message_visibility,
            QueueUrl=self._url,
            ReceiptHandle=record.receipt,
            VisibilityTimeout=round(seconds),
        )

    async def add_dead_letter(self, record: Record, event: TaskEvent | None, reason: str) -> None:
        """Keep the message. An event has a form that can be sent again without the attributes."""
        facts = {"reason": reason, "receives": str(record.receives)}
        await asyncio.to_thread(
            self._sqs.send_message,
            QueueUrl=self._dead_letter_url,
            MessageBody=event.encode() if event else record.body,
            MessageAttributes=text_attributes(facts),
            **message_group(event.client if event else None),
        )
