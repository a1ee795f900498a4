"""Leases are renewed while they are held. A failure is logged when it begins and when it ends, not each time."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from contract.callback import Cause
from contract.metrics import LEASE_RENEWALS, LEASES_LOST
from queue_agent.aws.clients import aws_errors, code_of
from queue_agent.aws.journal import HeldMessage, LeaseJournal
from queue_agent.aws.lease import Lease
from queue_agent.concurrency import within
from queue_agent.errors import AgentError, AwsDenied, AwsError
from queue_agent.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3
"""A lease is renewed after a third of it, so that two renewals may fail before it is lost."""

FIRST_RENEWAL_RETRY_SECONDS = 1.0
"""After a failed renewal; twice as long after each further one, up to the ordinary interval."""

DENIED_MARGIN_SECONDS = 3.0
"""A lease whose renewal is denied is given up so long before it expires (at most half an interval): time to stop the
run, and to note why for the next agent, before that one receives the message."""

GONE_CODES = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    }
)
"""What SQS says of a message that is no longer this receiver's; asking again would not help."""

NO_RECEIPT = "none"
"""A receipt that is nobody's: SQS answers whether this agent may renew at all, and changes nothing."""


class Renewals:
    """Renews each lease from ``start`` to ``stop``. ``denied``: this agent may not renew leases at present."""

    def __init__(
        self, client: "SQSClient", url: str, lease_seconds: int, metrics: Metrics, journal: LeaseJournal
    ) -> None:
        self._journal = journal
        self._client = client
        self._url = url
        self._lease_seconds = lease_seconds
        self._metrics = metrics
        self._tasks: dict[Lease, asyncio.Task[None]] = {}
        self.denied = False

    def start(self, lease: Lease) -> None:
        self._journal.hold(held(lease))
        self._tasks[lease] = asyncio.create_task(self._renew(lease), name=f"renew {lease.message_id}")

    async def stop(self, lease: Lease) -> None:
        self._journal.forget(lease.message_id)
        renewal = self._tasks.pop(lease, None)
        if renewal is not None:
            renewal.cancel()
            # Awaited, so that no renewal on its way makes the message invisible again after it was released.
            await asyncio.wait([renewal])

    async def check_allowed(self) -> None:
        """Raises AwsDenied while this agent may not renew leases, AwsError when SQS does not answer."""
        try:
            with aws_errors("renew leases"):
                await self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=NO_RECEIPT, VisibilityTimeout=0
                )
        except AwsError as error:
            if code_of(error) not in GONE_CODES:
                raise
        self.denied = False
        log.info("leases can be renewed again", extra={"action": "renew"})

    async def _renew(self, lease: Lease) -> None:
        loop = asyncio.get_running_loop()
        interval = self._lease_seconds / RENEWALS_PER_LEASE
        pause, retry_pause = interval, min(FIRST_RENEWAL_RETRY_SECONDS, interval)
        failure: Exception | None = None
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            try:
                with aws_errors("renew the lease"):
                    await within(lease.expires - now, self._extend(lease))
            except Exception as error:  # noqa: BLE001 - whatever it was, the lease is as good as its expiry
                if code_of(error) in GONE_CODES:
                    self._lose(lease, error, None)
                    return
                failure = self._noted(lease, error, failure)
                left = _time_left(lease, error, interval)
                if left <= 0:
                    self._lose(lease, failure, _cause(failure))
                    return
                pause, retry_pause = min(retry_pause, left), min(retry_pause * 2, interval)
            else:
                if failure is not None:
                    log.info("the lease is renewed again", extra={"action": "renew", **lease.fields})
                self.denied = False
                self._metrics.add(LEASE_RENEWALS)
                lease.expires = now + self._lease_seconds
                self._journal.renew(lease.message_id, time.time() + self._lease_seconds)
                pause, retry_pause, failure = interval, min(FIRST_RENEWAL_RETRY_SECONDS, interval), None

    async def _extend(self, lease: Lease) -> None:
        await self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=lease.receipt, VisibilityTimeout=self._lease_seconds
        )

    def _noted(self, lease: Lease, error: Exception, earlier: Exception | None) -> Exception:
        """The failure that says most: that the lease expired meanwhile is only the consequence of earlier ones."""
        self.denied = self.denied or isinstance(error, AwsDenied)
        if earlier is None:
            log.warning("the lease was not renewed; retrying until it expires", extra=_fields(lease, error))
            return error
        return earlier if isinstance(error.__cause__, TimeoutError) else error

    def _lose(self, lease: Lease, error: Exception, cause: Cause | None) -> None:
        if lease.deleting:
            return  # the deletion has most likely arrived; if it has not, the lease just expires
        lease.lost_cause = cause
        lease.lost.set()
        self._metrics.add(LEASES_LOST)
        log.error("a lease was lost; another agent will end the task", extra=_fields(lease, error))


def held(lease: Lease) -> HeldMessage:
    """What the journal keeps of a lease."""
    return HeldMessage(
        message_id=lease.message_id,
        receipt=lease.receipt,
        body=lease.body,
        receives=lease.receives,
        first_received=lease.first_received,
        expires=time.time() + lease.expires - asyncio.get_running_loop().time(),
        traceparent=lease.traceparent,
        request_id=lease.request_id,
        client=lease.client,
        group=lease.group,
        repeat=lease.repeat,
        sent=lease.sent,
        deadline=lease.deadline,
        webhook=lease.webhook,
    )


def _time_left(lease: Lease, error: Exception, interval: float) -> float:
    margin = min(DENIED_MARGIN_SECONDS, interval / 2) if isinstance(error, AwsDenied) else 0.0
    return lease.expires - margin - asyncio.get_running_loop().time()


def _cause(error: Exception) -> Cause:
    if isinstance(error, AgentError):
        return error.cause
    return Cause(type="renewal", message=f"could not renew the lease: {type(error).__name__}: {error}")


def _fields(lease: Lease, error: Exception) -> dict[str, object]:
    cause = error.message if isinstance(error, AgentError) else f"{type(error).__name__}: {error}"
    return {"action": "renew", **lease.fields, "cause": cause}
