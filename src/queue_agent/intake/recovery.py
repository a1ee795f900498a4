"""Goes on with what a predecessor in the same pod held when it was killed."""

import logging
from dataclasses import replace

from contract.wire import UndecodableMessage, decode
from queue_agent.aws.journal import HeldMessage, LeaseJournal
from queue_agent.aws.lease import Lease
from queue_agent.aws.queue import Queue
from queue_agent.errors import AgentError
from queue_agent.outcome.finisher import TaskFinisher
from queue_agent.processing.processor import Processor
from queue_agent.processing.stages import Prepared

log = logging.getLogger(__name__)


class Recovery:
    """Adopts the job that the runtime still works on, deletes messages whose callback was sent, and releases
    everything else for a run, here or elsewhere."""

    def __init__(self, journal: LeaseJournal, queue: Queue, processor: Processor, finisher: TaskFinisher) -> None:
        self._journal = journal
        self._queue = queue
        self._processor = processor
        self._finisher = finisher

    async def recover(self) -> list[Prepared]:
        """The tasks to adopt."""
        adopted = []
        for held in self._journal.take_over():
            lease = await self._queue.resume(held)
            if lease is None:
                continue
            prepared = await self._recover(lease, held)
            log.info(
                "recovered a message that this agent held before it was restarted",
                extra={"action": "recover", "adopted": prepared is not None, **lease.fields},
            )
            if prepared is not None:
                adopted.append(prepared)
        return adopted

    async def _recover(self, lease: Lease, held: HeldMessage) -> Prepared | None:
        """The task if its job is in the runtime; else None, and the message is released. A run that was begun counts,
        and is counted once when it is adopted."""
        try:
            order = decode(lease.body)
        except UndecodableMessage:
            await self._finisher.release_unread(lease)
            return None
        delivery = self._processor.open(lease, order)
        if held.notified:
            await self._finisher.delete_notified(delivery)
            return None
        if held.runs is not None:
            delivery = replace(delivery, runs=held.runs)
            if held.job_ref is not None:
                try:
                    return await self._processor.prepare_adoption(
                        replace(delivery, runs=held.runs - 1), order, held.job_ref
                    )
                except AgentError as error:
                    log.warning(
                        "a job is not adopted", extra={"action": "recover", "cause": str(error), **delivery.fields}
                    )
        await self._finisher.release(delivery)
        return None
