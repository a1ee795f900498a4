"""Messages that the front door published again because it does not know whether SNS took the first one.

A request makes one task, whatever its messages. The front door marks a repetition (``repeat``) and gives all messages
of a request the same ``request_id``, from which the keys of the record and of the noted attempts follow. Only a marked
message is examined, so an ordinary task costs no further call of AWS.

A repetition is dismissed when another message of the request has left a record (the task has ended, and that message's
agent sends the callback) or noted attempts (it is in the queue). While neither is there, the original may be waiting,
or running for the first time, which nothing shows: the repetition goes back to the queue until a run of the original
would have ended, counted from the repetition's own first delivery, since a backlog delays both alike. After that the
original was never accepted, and the repetition is the task.
"""

import asyncio
import logging
import math
import time

from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.disposition import retry_delay
from queue_agent.outcome.finisher import TaskFinisher
from queue_agent.outcome.store import Attempts, Record, Store

log = logging.getLogger(__name__)

MARGIN_SECONDS = 30.0
"""After the longest run: for fetching the original's inputs, and for storing its result."""


class Duplicates:
    """Decides whether a repeated message is a task of its own."""

    def __init__(self, *, store: Store, finisher: TaskFinisher, task_timeout: float) -> None:
        self._store = store
        self._finisher = finisher
        self._wait_seconds = task_timeout + MARGIN_SECONDS

    async def dismiss(self, delivery: Delivery) -> bool:
        """Whether the message is not to run now; it was deleted or given back then.

        To be asked before anything else is done for a delivery, also for a redelivery. Raises AwsError.
        """
        lease = delivery.lease
        if not lease.repeat or lease.request_id is None:
            return False
        (_, record), attempts = await asyncio.gather(
            self._store.find_record(delivery.keys), self._store.attempts(delivery.keys)
        )
        if _another(record, lease.message_id) or _another(attempts, lease.message_id):
            await self._finisher.dismiss(delivery)
            return True
        remaining = lease.first_received + self._wait_seconds - time.time()
        # What this message itself left is its own redelivery's, which goes on as any other does.
        if record is not None or remaining <= 0 or (attempts is not None and attempts.runs > 0):
            return False
        await self._finisher.release(delivery, min(math.ceil(remaining), retry_delay(lease.receives)))
        return True


def _another(found: Record | Attempts | None, message_id: str) -> bool:
    return found is not None and found.message_id is not None and found.message_id != message_id
