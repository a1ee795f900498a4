"""The last steps of a task whose outcome is recorded: the task table, the callback, the message."""

import logging

from contract.callback import GAVE_UP, Callback
from queue_agent.aws.lease import Lease
from queue_agent.aws.queue import Queue
from queue_agent.aws.recent_ids import RecentIds
from queue_agent.errors import AwsError
from queue_agent.outcome.delivery_retry import DeliveryRetry, RetryTimings
from queue_agent.outcome.ledger import Ledger
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.recorder import Recorded

log = logging.getLogger(__name__)

MAX_TABLE_RECEIVES = 12
"""A recorded outcome whose task table does not answer goes on without it at this delivery, after about half an hour of
growing delays: its caller waits for the callback, and may never have heard of the table."""


class Closer:
    """Repeats what AWS does not take, for as long as the message is this agent's."""

    def __init__(
        self, *, queue: Queue, notifier: Notifier, ledger: Ledger, retry: DeliveryRetry, timings: RetryTimings
    ) -> None:
        self._queue = queue
        self._notifier = notifier
        self._ledger = ledger
        self._retry = retry
        self._timings = timings
        self._notified = RecentIds()

    async def close(self, recorded: Recorded) -> None:
        """Note the outcome in the task table, send its callback, then delete or dead-letter the message.

        Raises LeaseLost, and AwsError when the table does not answer for so long that another delivery is to go on.
        """
        lease, callback = recorded.delivery.lease, recorded.callback
        lease.check()
        await self._end(recorded)
        await self._retry.deliver("notify", lease, lambda: self.notify_once(lease, callback))
        given_up = callback.error if callback.error and callback.error.type == GAVE_UP else None
        if given_up is None:
            self._queue.note_notified(lease)
            await self.delete(lease)
        else:
            await self._retry.deliver("dead letter", lease, lambda: self._queue.dead_letter(lease, given_up.message))

    async def delete(self, lease: Lease) -> None:
        """Delete the message. Raises LeaseLost."""
        await self._retry.deliver("delete", lease, lambda: self._queue.delete(lease))

    async def notify_once(self, lease: Lease, callback: Callback) -> None:
        """A message's final callback is published once by this process, however often its deletion fails. Raises
        AwsError."""
        if lease.message_id in self._notified:
            return
        with lease.trace.span("notify", status=callback.status.value):
            await self._notifier.notify(callback, lease.passed_on)
        self._notified.add(lease.message_id)

    async def _end(self, recorded: Recorded) -> None:
        if not self._ledger.kept:
            return
        lease = recorded.delivery.lease
        seconds = self._timings.brief_hold if recorded.repeated else self._timings.hold
        try:
            await self._retry.hold("task table", lease, lambda: self._ledger.end(recorded), seconds=seconds)
        except AwsError as error:
            if lease.receives < MAX_TABLE_RECEIVES:
                raise
            log.error(  # noqa: TRY400 - the traceback tells nothing
                "the task table does not answer; the callback is sent without it",
                extra={"action": "end", "cause": error.message, **recorded.delivery.fields},
            )
