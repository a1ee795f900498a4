"""The runtime's queue: messages are leased, renewed while held, and end by one of three words: done, back, buried."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from contract import trace
from contract.metrics import DEAD_LETTERS, LEASE_RENEWALS, LEASES_LOST
from queue_agent.aws.clients import LONG_POLL_SECONDS, aws_errors, code_of
from queue_agent.errors import AgentError, LeaseLost
from queue_agent.telemetry.tracing import Telemetry, Trace

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3
"""A lease is renewed after a third of it, so that two renewals may fail before it is lost."""

RENEWAL_RETRY_SECONDS = 1.0

GONE_CODES = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    }
)
"""What SQS says of a message that is no longer this receiver's; asking again would not help."""

MILLISECONDS = 1000
"""In a second; SQS's times of day."""

MAX_REASON_LENGTH = 1024
"""Characters of the reason that a dead letter carries as an attribute: enough for a person, small beside the body."""


@dataclass(eq=False, slots=True)
class Lease:
    """One message, held by this agent until ``expires`` (loop time). ``receives`` counts SQS's deliveries of it."""

    message_id: str
    receipt: str
    body: str
    receives: int
    traceparent: str | None
    trace: Trace
    expires: float
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def fields(self) -> dict[str, object]:
        """What every log line of the message carries."""
        return {"message_id": self.message_id, "receives": self.receives, "trace_id": self.trace.trace_id}

    def check(self) -> None:
        """Raises LeaseLost when the message may be another agent's by now.

        The clock counts, not only what a renewal said: after a stall of the whole process the renewal is late, too.
        """
        if self.lost.is_set() or asyncio.get_running_loop().time() >= self.expires:
            raise LeaseLost


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
    ) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url
        self._lease_seconds = lease_seconds
        self._telemetry = telemetry
        self._renewals: dict[Lease, asyncio.Task[None]] = {}

    async def receive(self) -> Lease | None:
        """Wait up to LONG_POLL_SECONDS for a message. Raises TransientError when SQS does not answer."""
        polled = time.time()
        with aws_errors("receive from the queue"):
            answer = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=LONG_POLL_SECONDS,
                VisibilityTimeout=self._lease_seconds,
                MessageAttributeNames=[trace.ATTRIBUTE],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "AWSTraceHeader", "SentTimestamp"],
            )
        messages = answer.get("Messages", [])
        return self._hold(messages[0], polled) if messages else None

    async def delete(self, lease: Lease) -> None:
        """The task has ended: the message goes. Raises TransientError."""
        with lease.trace.span("delete"), aws_errors("delete the message"):
            await self._client.delete_message(QueueUrl=self._url, ReceiptHandle=lease.receipt)
        await self._stop_renewing(lease)
        lease.trace.end("deleted", final=True)

    async def release(self, lease: Lease, delay: int = 0) -> None:
        """Let the next receiver have it after ``delay`` seconds. Never raises: at worst the lease runs out."""
        await self._stop_renewing(lease)
        try:
            with lease.trace.span("hand back", delay=delay), aws_errors("hand the message back"):
                await self._set_visibility(lease, delay)
        except AgentError as error:
            log.warning(
                "the message was not handed back; its lease runs out by itself",
                extra={"action": "hand_back", "cause": error.message, **lease.fields},
            )
        lease.trace.end("handed back", final=False)

    async def dead_letter(self, lease: Lease, reason: str) -> None:
        """Move the message to the dead-letter queue, with the reason as attribute. Raises TransientError.

        Without a dead-letter queue in the settings it is left to the queue's own redrive.
        """
        if self._dead_letter_url is None:
            await self.abandon(lease)
            return
        told = {"reason": _attribute(reason), "message_id": lease.message_id, trace.ATTRIBUTE: lease.traceparent}
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in told.items() if value
        }
        attributes["receives"] = {"DataType": "Number", "StringValue": str(lease.receives)}
        with lease.trace.span("bury"), aws_errors("send the message to the dead-letter queue"):
            await self._client.send_message(
                QueueUrl=self._dead_letter_url, MessageBody=lease.body, MessageAttributes=attributes
            )
        self._telemetry.metrics.add(DEAD_LETTERS)
        await self.delete(lease)

    async def abandon(self, lease: Lease) -> None:
        """Stop renewing and leave the message alone."""
        await self._stop_renewing(lease)
        lease.trace.end("left", final=False)

    def _hold(self, message: "MessageTypeDef", polled: float) -> Lease:
        system = message.get("Attributes", {})
        receives = int(system.get("ApproximateReceiveCount", "1"))
        context = _context(message)
        sent = int(system["SentTimestamp"]) / MILLISECONDS if "SentTimestamp" in system else polled
        lease = Lease(
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            body=message["Body"],
            receives=receives,
            traceparent=context.traceparent if context else None,
            trace=self._telemetry.received(context, sent=sent, polled=polled, receives=receives),
            expires=asyncio.get_running_loop().time() + self._lease_seconds,
        )
        self._renewals[lease] = asyncio.create_task(self._renew(lease), name=f"renew {lease.message_id}")
        return lease

    async def _stop_renewing(self, lease: Lease) -> None:
        renewal = self._renewals.pop(lease, None)
        if renewal is not None:
            renewal.cancel()
            # Awaited, so that no renewal on its way makes the message invisible again after it was handed back.
            await asyncio.wait([renewal])

    async def _renew(self, lease: Lease) -> None:
        loop = asyncio.get_running_loop()
        pause = self._lease_seconds / RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            try:
                async with asyncio.timeout_at(lease.expires):
                    await self._set_visibility(lease, self._lease_seconds)
            except Exception as error:  # noqa: BLE001 - whatever it was, the lease is as good as its expiry
                gone = isinstance(error, ClientError) and code_of(error) in GONE_CODES
                if gone or loop.time() >= lease.expires:
                    self._lose(lease, error)
                    return
                log.warning("a lease was not renewed; trying again", extra=_fields(lease, error))
                pause = min(RENEWAL_RETRY_SECONDS, self._lease_seconds / RENEWALS_PER_LEASE)
            else:
                self._telemetry.metrics.add(LEASE_RENEWALS)
                lease.expires = now + self._lease_seconds
                pause = self._lease_seconds / RENEWALS_PER_LEASE

    def _lose(self, lease: Lease, error: Exception) -> None:
        lease.lost.set()
        self._telemetry.metrics.add(LEASES_LOST)
        log.error("a lease was lost; another agent will end the task", extra=_fields(lease, error))

    async def _set_visibility(self, lease: Lease, seconds: int) -> None:
        await self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=lease.receipt, VisibilityTimeout=seconds
        )


def _context(message: "MessageTypeDef") -> trace.TraceContext | None:
    header = message.get("Attributes", {}).get("AWSTraceHeader", "")
    attribute = message.get("MessageAttributes", {}).get(trace.ATTRIBUTE)
    told = attribute.get("StringValue", "") if attribute else ""
    return trace.from_xray(header) or trace.from_traceparent(told)


def _fields(lease: Lease, error: Exception) -> dict[str, object]:
    return {"action": "renew", **lease.fields, "cause": f"{type(error).__name__}: {error}"}


def _attribute(reason: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in reason)
    return printable[:MAX_REASON_LENGTH] or "unknown"
