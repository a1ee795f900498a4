"""The runtime's queue: messages are leased, renewed while held, then deleted, released, dead-lettered or abandoned."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from contract import trace
from contract.metrics import DEAD_LETTERS
from contract.wire import (
    CLIENT_ATTRIBUTE,
    DEADLINE_ATTRIBUTE,
    REPEAT,
    REPEAT_ATTRIBUTE,
    REQUEST_ID_ATTRIBUTE,
    WEBHOOK_ATTRIBUTE,
    deadline_of,
    message_group,
    request_id_of,
    text_attributes,
)
from queue_agent.aws.clients import LONG_POLL_SECONDS, aws_errors, code_of
from queue_agent.aws.journal import HeldMessage, LeaseJournal
from queue_agent.aws.lease import Lease
from queue_agent.aws.recent_ids import RecentIds
from queue_agent.aws.renewals import GONE_CODES, Renewals
from queue_agent.concurrency import within
from queue_agent.errors import AgentError, LeaseLost
from queue_agent.telemetry.tracing import Telemetry

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

log = logging.getLogger(__name__)

RELEASE_SECONDS = 3.0
"""How long a release may take: a stopping process does not wait for SQS, and the lease expires by itself."""

MILLISECONDS = 1000
"""In a second; SQS's times of day."""

MAX_REASON_LENGTH = 1024
"""Characters of the reason that a dead letter carries as an attribute: enough for a person, small compared to the
body."""


ATTRIBUTES = (
    trace.ATTRIBUTE,
    REQUEST_ID_ATTRIBUTE,
    REPEAT_ATTRIBUTE,
    CLIENT_ATTRIBUTE,
    DEADLINE_ATTRIBUTE,
    WEBHOOK_ATTRIBUTE,
)
"""What is read of a message's attributes."""


class Queue:
    """Receives from one SQS queue. Every lease is renewed until it is deleted, released, dead-lettered or abandoned."""

    def __init__(
        self,
        client: "SQSClient",
        url: str,
        dead_letter_url: str | None,
        lease_seconds: int,
        *,
        telemetry: Telemetry,
        journal: LeaseJournal | None = None,
    ) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url
        self._lease_seconds = lease_seconds
        self._telemetry = telemetry
        self._journal = journal or LeaseJournal(None)
        self._renewals = Renewals(client, url, lease_seconds, telemetry.metrics, self._journal)
        self._dead_lettered = RecentIds()

    async def receive(self) -> Lease | None:
        """Wait up to LONG_POLL_SECONDS for a message.

        Raises AwsError when SQS does not answer, AwsDenied when it refuses to give messages, or to renew leases: a task
        that outlives its lease would be lost, so none is taken until renewals are allowed again.
        """
        if self._renewals.denied:
            await self._renewals.check_allowed()
        polled = time.time()
        with aws_errors("receive from the queue"):
            response = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=LONG_POLL_SECONDS,
                VisibilityTimeout=self._lease_seconds,
                MessageAttributeNames=ATTRIBUTES,
                MessageSystemAttributeNames=[
                    "ApproximateFirstReceiveTimestamp",
                    "ApproximateReceiveCount",
                    "AWSTraceHeader",
                    "MessageGroupId",
                    "SentTimestamp",
                ],
            )
        messages = response.get("Messages", [])
        return self._hold(messages[0], polled) if messages else None

    async def resume(self, held: HeldMessage) -> Lease | None:
        """The lease of a message that a predecessor held; None when it is not this agent's any more."""
        now = time.time()
        context = trace.from_traceparent(held.traceparent or "")
        lease = Lease(
            message_id=held.message_id,
            receipt=held.receipt,
            body=held.body,
            receives=held.receives,
            traceparent=held.traceparent,
            trace=self._telemetry.received(context, sent=held.first_received, polled=now, receives=held.receives + 1),
            expires=asyncio.get_running_loop().time() + self._lease_seconds,
            first_received=held.first_received,
            sent=held.first_received if held.sent is None else held.sent,
            deadline=held.deadline,
            webhook=held.webhook,
            request_id=held.request_id,
            client=held.client,
            group=held.group,
            repeat=held.repeat,
        )
        try:
            with aws_errors("resume the lease"):
                await within(RELEASE_SECONDS, self._set_visibility(lease, self._lease_seconds))
        except AgentError as error:
            log.warning(
                "a message that the agent held before it was restarted is another agent's now",
                extra={"action": "recover", "cause": error.message, **lease.fields},
            )
            lease.trace.end("left", final=False)
            return None
        self._renewals.start(lease)
        return lease

    def note_notified(self, lease: Lease) -> None:
        """The message's final callback was sent: should this process be killed, its successor deletes the message."""
        self._journal.notify(lease.message_id)

    async def delete(self, lease: Lease) -> None:
        """Delete the message: its task has ended. May be called until it succeeds.

        Raises AwsError, and LeaseLost when SQS does not know the message as this agent's any more.
        """
        lease.deleting = True
        with lease.trace.span("delete"), aws_errors("delete the message"):
            try:
                await self._client.delete_message(QueueUrl=self._url, ReceiptHandle=lease.receipt)
            except ClientError as error:
                if code_of(error) in GONE_CODES:
                    raise LeaseLost from error
                raise
        await self._renewals.stop(lease)
        lease.trace.end("deleted", final=True)

    async def release(self, lease: Lease, delay: int = 0) -> None:
        """Let the next receiver have the message after ``delay`` seconds. Takes RELEASE_SECONDS at most.

        Never raises: at worst the lease expires by itself.
        """
        await self._renewals.stop(lease)
        try:
            with lease.trace.span("hand back", delay=delay), aws_errors("release the message"):
                await within(RELEASE_SECONDS, self._set_visibility(lease, delay))
        except AgentError as error:
            log.warning(
                "the message was not released; its lease expires by itself",
                extra={"action": "hand_back", "cause": error.message, **lease.fields},
            )
        lease.trace.end("handed back", final=False)

    async def dead_letter(self, lease: Lease, reason: str) -> None:
        """Move the message to the dead-letter queue, with the reason as attribute.

        May be called until it succeeds: this process sends a message there once, also if only its deletion fails and it
        is delivered again. Without a dead-letter queue in the settings the message is left to the queue's own redrive.
        Raises AwsError, and LeaseLost as ``delete`` does.
        """
        if self._dead_letter_url is None:
            await self.abandon(lease)
            return
        if lease.message_id not in self._dead_lettered:
            await self._send_dead_letter(self._dead_letter_url, lease, reason)
            self._dead_lettered.add(lease.message_id)
            self._telemetry.metrics.add(DEAD_LETTERS)
        await self.delete(lease)

    async def abandon(self, lease: Lease) -> None:
        """Stop renewing and leave the message alone."""
        await self._renewals.stop(lease)
        lease.trace.end("left", final=False)

    async def _send_dead_letter(self, url: str, lease: Lease, reason: str) -> None:
        # Without its request's id: a dead letter that is sent again is a task of its own, and is to run again.
        attributes: dict[str, MessageAttributeValueTypeDef] = text_attributes(
            {
                "reason": _attribute(reason),
                "message_id": lease.message_id,
                trace.ATTRIBUTE: lease.traceparent,
                CLIENT_ATTRIBUTE: lease.client,
                DEADLINE_ATTRIBUTE: str(lease.deadline or ""),
                WEBHOOK_ATTRIBUTE: lease.webhook,
            }
        )
        attributes["receives"] = {"DataType": "Number", "StringValue": str(lease.receives)}
        with lease.trace.span("bury"), aws_errors("send the message to the dead-letter queue"):
            await self._client.send_message(
                QueueUrl=url, MessageBody=lease.body, MessageAttributes=attributes, **message_group(lease.group)
            )

    def _hold(self, message: "MessageTypeDef", polled: float) -> Lease:
        system = message.get("Attributes", {})
        receives = int(system.get("ApproximateReceiveCount", "1"))
        context = _context(message)
        sent = _seconds(system, "SentTimestamp", polled)
        lease = Lease(
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            body=message["Body"],
            receives=receives,
            traceparent=context.traceparent if context else None,
            trace=self._telemetry.received(context, sent=sent, polled=polled, receives=receives),
            expires=asyncio.get_running_loop().time() + self._lease_seconds,
            first_received=_seconds(system, "ApproximateFirstReceiveTimestamp", time.time()),
            sent=sent,
            deadline=deadline_of(_text(message, DEADLINE_ATTRIBUTE)),
            webhook=_text(message, WEBHOOK_ATTRIBUTE),
            request_id=request_id_of(_text(message, REQUEST_ID_ATTRIBUTE)),
            client=_text(message, CLIENT_ATTRIBUTE) or None,
            group=system.get("MessageGroupId"),
            repeat=_text(message, REPEAT_ATTRIBUTE) == REPEAT,
        )
        self._renewals.start(lease)
        return lease

    async def _set_visibility(self, lease: Lease, seconds: int) -> None:
        await self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=lease.receipt, VisibilityTimeout=seconds
        )


def _context(message: "MessageTypeDef") -> trace.TraceContext | None:
    header = message.get("Attributes", {}).get("AWSTraceHeader", "")
    return trace.from_xray(header) or trace.from_traceparent(_text(message, trace.ATTRIBUTE))


def _text(message: "MessageTypeDef", name: str) -> str:
    """A message attribute; empty when the message has none of this name."""
    attribute = message.get("MessageAttributes", {}).get(name)
    return attribute.get("StringValue", "") if attribute else ""


def _seconds(system: Mapping[Any, str], name: str, default: float) -> float:
    return int(system[name]) / MILLISECONDS if name in system else default


def _attribute(reason: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in reason)
    return printable[:MAX_REASON_LENGTH] or "unknown"
