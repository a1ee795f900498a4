"""One event: from its message to its receiver, and what becomes of the message."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contract.errors import ContractError
from contract.json_log import stack_of
from contract.task_event import TaskEvent
from contract.task_table.item import TaskItem, Webhook
from contract.task_table.view import Places
from contract.task_table.webhooks import DELIVERED, FAILED
from contract.webhook import ENDED, webhook_problem
from webhook_lambda.logs import LOGGER
from webhook_lambda.payload import payload
from webhook_lambda.receiver import Answer, Receivers, Verdict
from webhook_lambda.record import Record
from webhook_lambda.schedule import Schedule
from webhook_lambda.signature import signed, webhook_id
from webhook_lambda.signing_keys import SigningKeys
from webhook_lambda.stores import Queue, Tasks
from webhook_lambda.unreachable import Unreachable

AWS_FAILURES = (BotoCoreError, ClientError)

ERROR = "error"
"""Outcome of a message that this platform could not deal with; it comes again."""

UNREACHABLE = "the receiver did not answer a moment ago"
NOT_ENDED = "the table does not show the end of the task yet"


class Undeliverable(Exception):
    """No try would help; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What all deliveries share. ``total``: seconds that one may take."""

    tasks: Tasks
    queue: Queue
    keys: SigningKeys
    places: Places
    schedule: Schedule
    unreachable: Unreachable
    total: float
    allow_loopback: bool
    clock: Callable[[], float] = time.time

    async def deliver(self, record: Record, receivers: Receivers) -> bool:
        """Whether the message is done with; else it comes again. Never raises."""
        facts: dict[str, Any] = {"action": "deliver_webhook", "receives": record.receives}
        done = False
        try:
            async with asyncio.timeout(self.total):
                done = await self._deliver(record, receivers, facts)
        except Exception as error:  # noqa: BLE001 - one message's error is not that of the others of its batch
            facts |= _failure(error)
        level = logging.ERROR if facts["outcome"] == ERROR else logging.INFO
        LOGGER.log(level, "webhook %s", facts["outcome"], extra=facts)
        return done

    async def _deliver(self, record: Record, receivers: Receivers, facts: dict[str, Any]) -> bool:
        """``facts`` gains what the log line says."""
        try:
            event = TaskEvent.decode(record.body, record.attributes)
        except ContractError as error:
            return await self._dead_letter(record, None, str(error), facts)
        facts |= {"client": event.client, "task_id": event.id, "request_id": event.request, "event": event.event}
        facts["webhook_id"] = webhook_id(event)
        try:
            return await self._send(record, event, receivers, facts)
        except Undeliverable as error:
            await self.tasks.tried(event, None, FAILED)
            return await self._dead_letter(record, event, str(error), facts)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not come again at once and for ever
            reason = f"the platform failed: {_said(error)}"
            done = await self._again(record, event, Answer(verdict=Verdict.FAILED, reason=reason), facts)
            facts |= _failure(error)
            return done

    async def _send(self, record: Record, event: TaskEvent, receivers: Receivers, facts: dict[str, Any]) -> bool:
        item = await self.tasks.read(event)
        webhook = item.webhook if item else None
        if item is None or webhook is None or event.event not in webhook.events:
            facts["outcome"] = "skipped"
            return True
        decides = event.event == (ENDED if ENDED in webhook.events else webhook.events[0])
        if decides and webhook.state == DELIVERED:
            facts["outcome"] = "repeated"
            return True
        if event.event == ENDED and not item.status.terminal:
            return await self._again(record, event, Answer(verdict=Verdict.FAILED, reason=NOT_ENDED), facts)
        self._check(webhook)
        last = self._pause(record, None) is None
        if not last and (event.client, webhook.url) in self.unreachable:
            return await self._again(record, event, Answer(verdict=Verdict.FAILED, reason=UNREACHABLE), facts)
        answer = await self._post(event, item, webhook, receivers)
        facts |= {"status": answer.status}
        return await self._settle(record, event, answer, facts, decides=decides)

    def _check(self, webhook: Webhook) -> None:
        """The front door checks the same; the item may be older than what it checks now."""
        problems = list(webhook_problem(webhook.url, webhook.events, allow_loopback=self.allow_loopback))
        if problems:
            raise Undeliverable("; ".join(map(str, problems)))

    async def _post(self, event: TaskEvent, item: TaskItem, webhook: Webhook, receivers: Receivers) -> Answer:
        body = await asyncio.to_thread(payload, event, item, self.places)
        keys = await asyncio.to_thread(self.keys.of, event.client)
        headers = signed(webhook_id(event), int(self.clock()), body, keys)
        answer = await receivers.post(webhook.url, headers, body)
        if answer.status is None:
            self.unreachable.add(event.client, webhook.url)
        else:
            self.unreachable.remove(event.client, webhook.url)
        return answer

    async def _settle(
        self, record: Record, event: TaskEvent, answer: Answer, facts: dict[str, Any], *, decides: bool
    ) -> bool:
        state = {Verdict.DELIVERED: DELIVERED, Verdict.GONE: FAILED}.get(answer.verdict)
        if answer.verdict is Verdict.FAILED and self._pause(record, None) is None:
            state = FAILED
        try:
            await self.tasks.tried(event, answer.status, state if decides else None)
        except AWS_FAILURES as error:
            # The receiver has what it has: only what the Task shows of it is missing.
            facts["not_noted"] = str(error)
        if answer.verdict is Verdict.FAILED:
            return await self._again(record, event, answer, facts)
        facts["outcome"] = answer.verdict.value
        return True

    async def _again(self, record: Record, event: TaskEvent, answer: Answer, facts: dict[str, Any]) -> bool:
        reason = answer.reason or f"the receiver answered {answer.status}"
        pause = self._pause(record, answer.retry_after)
        if pause is None:
            return await self._dead_letter(record, event, reason, facts)
        await self.queue.hide(record, pause)
        facts |= {"outcome": "retried", "reason": reason, "pause_seconds": round(pause)}
        return False

    async def _dead_letter(self, record: Record, event: TaskEvent | None, reason: str, facts: dict[str, Any]) -> bool:
        await self.queue.add_dead_letter(record, event, reason)
        facts |= {"outcome": "dead_letter", "reason": reason}
        return True

    def _pause(self, record: Record, retry_after: float | None) -> float | None:
        return self.schedule.pause(self.clock() - record.first_received, retry_after)


def _said(error: Exception) -> str:
    """The text of AWS's errors only: those of others may hold values of the task."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, AWS_FAILURES) else name


def _failure(error: Exception) -> dict[str, Any]:
    """What the log says about a failure that is the platform's own."""
    return {"outcome": ERROR, "error": _said(error), "stack": stack_of(error)}
