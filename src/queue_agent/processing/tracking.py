"""What is written and sent of a run while it lasts, in the background: the runtime waits for none of it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contract.task_table.writes import Refusal
from contract.webhook import STARTED
from contract.wire import client_of
from queue_agent.aws.task_table import CALL_SECONDS
from queue_agent.aws.webhook_queue import WebhookQueue
from queue_agent.concurrency import cancel_all, set_within
from queue_agent.errors import AgentError, AwsError, TaskExpired
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.ledger import Ledger
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.store import Attempts, Store
from queue_agent.processing.halt import Halt, error_of

log = logging.getLogger(__name__)

HANDOVER_SECONDS = 0.05
"""A claim begins so long after its run: the few milliseconds of CPU that it takes are better spent once the runtime has
the job."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between two attempts at a claim, doubling."""

SETTLE_SECONDS = CALL_SECONDS
"""How long the outcome of a run waits for a claim or a beat that is under way, while the runtime goes on. A claim says
whether the task was canceled before the table knew of the run: its client was informed then, and nothing else is to be
recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """Begins the tracking of each run. ``progress`` is the runtime's, ``beat_seconds`` lie between two beats."""

    ledger: Ledger
    store: Store
    notifier: Notifier
    webhooks: WebhookQueue
    running_callbacks: bool
    progress: Callable[[], Awaitable[float | None]]
    beat_seconds: float

    def begin(self, delivery: Delivery) -> "Tracking":
        """A run of the delivery begins."""
        return Tracking(self, delivery)


class Tracking:
    """One run: it is announced, claimed in the task table, and beats there until its end.

    ``halt`` says when it is to stop: the table refused it, or showed a cancellation, or the deadline is over.
    """

    def __init__(self, tracker: Tracker, delivery: Delivery) -> None:
        self.halt = Halt()
        self._refused: AgentError | None = None
        self._parts = tracker
        self._delivery = delivery
        self._ended = asyncio.Event()
        self._announcing = asyncio.create_task(self._announce())
        self._keeping = asyncio.create_task(self._keep_safely()) if tracker.ledger.kept else None
        self._deadline = self._until_deadline()

    def end(self) -> None:
        """The run is over: nothing more is written of it than what is under way."""
        self._ended.set()
        if self._deadline is not None:
            self._deadline.cancel()

    async def settled(self) -> AgentError | None:
        """Wait for what is under way: neither a beat nor the callback of the beginning is to come after the end. Why
        the claim was refused, if so, which also holds for a run that has ended meanwhile."""
        self.end()
        await asyncio.wait([self._announcing])
        if self._keeping is not None:
            await asyncio.wait([self._keeping], timeout=SETTLE_SECONDS)
            await cancel_all([self._keeping])
        return self._refused

    async def cancel(self) -> None:
        """Nobody waits for anything of it any more."""
        self.end()
        await cancel_all(task for task in (self._announcing, self._keeping) if task is not None)

    def _until_deadline(self) -> asyncio.TimerHandle | None:
        deadline = self._delivery.lease.deadline
        if deadline is None:
            return None
        left = max(0.0, deadline - time.time())
        return asyncio.get_running_loop().call_later(left, lambda: self.halt.ask(TaskExpired()))

    async def _announce(self) -> None:
        """Note the run where earlier ones are noted, and send the callback that it began if that is wanted."""
        delivery = self._delivery
        try:
            if not delivery.first:
                await self._parts.store.note_attempts(delivery.keys, Attempts(delivery.runs or 1, delivery.last_cause))
            if self._parts.running_callbacks:
                await self._parts.notifier.notify(delivery.running())
        except AgentError as error:
            log.warning("a run was not announced", extra=self._said("note", error))

    async def _keep_safely(self) -> None:
        """What the table holds must not cost a run, whatever it is."""
        try:
            await self._keep()
        except Exception:
            log.exception("a run is not kept in the task table", extra={"action": "claim", **self._delivery.fields})

    async def _keep(self) -> None:
        await set_within(self._ended, HANDOVER_SECONDS)
        if not await self._claim():
            return
        await self._send_started()
        known: float | None = None
        while not await set_within(self._ended, self._parts.beat_seconds):
            progress = await self._progress()
            if not await self._beat(None if progress == known else progress):
                return
            known = progress

    async def _claim(self) -> bool:
        """Whether the table has the run; attempted until the run's end, and once more then."""
        pause = FIRST_PAUSE
        while True:
            last = self._ended.is_set()
            try:
                refusal = await self._parts.ledger.claim(self._delivery)
            except AwsError as error:
                if pause == FIRST_PAUSE:
                    log.warning("a run was not claimed; retrying until its end", extra=self._said("claim", error))
            else:
                self._refused = self._judged(refusal)
                return refusal is None
            if last:
                return False
            await set_within(self._ended, pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _beat(self, progress: float | None) -> bool:
        """Whether the run goes on as far as the table knows."""
        try:
            refusal = await self._parts.ledger.beat(self._delivery, progress)
        except AwsError as error:
            log.debug("a beat is dropped", extra=self._said("beat", error))
            return True
        self._judged(refusal)
        return refusal is None

    def _judged(self, refusal: Refusal | None) -> AgentError | None:
        """Have the run stopped if the refusal means that; the error that says why."""
        error = error_of(refusal) if refusal is not None else None
        if error is not None:
            log.info("the task table refuses the run", extra=self._said("refused", error))
            self.halt.ask(error)
        elif refusal is Refusal.ANOTHER:
            log.info(
                "the task table has another run under the task's id; this one goes on without it",
                extra={"action": "claim", **self._delivery.fields},
            )
        return error

    async def _send_started(self) -> None:
        delivery = self._delivery
        lease, metadata = delivery.lease, delivery.metadata
        if STARTED not in lease.webhook.split(",") or delivery.runs != 1:
            return
        try:
            await self._parts.webhooks.started(
                client=client_of(lease.client),
                task_id=metadata.id,
                request=delivery.keys.identity,
                runtime=metadata.runtime,
            )
        except AwsError as error:
            log.warning("the webhook of a beginning is not sent", extra=self._said("webhook", error))

    async def _progress(self) -> float | None:
        asking = asyncio.ensure_future(self._parts.progress())
        await asyncio.wait({asking}, timeout=self._parts.beat_seconds)
        if asking.done():
            return asking.result()
        await cancel_all([asking])
        return None

    def _said(self, action: str, error: AgentError) -> dict[str, object]:
        return {"action": action, "cause_type": error.type, "cause": error.message, **self._delivery.fields}
