"""One job in InvokeAI's queue: put in, awaited, taken out."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from contract.errors import shown
from queue_agent.errors import AgentError, Interrupted, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import RunMonitor
from queue_agent.runtimes.invokeai.api import Api
from queue_agent.runtimes.invokeai.faults import failure

ORIGIN = "queue-agent"
"""What our batches are marked with, for a person who looks at InvokeAI's queue."""

BATCH_PREFIX = f"{ORIGIN}-"
"""Begins the batch ids of every agent, so that a new process knows the batches of the one before it."""

SHORTEST_PAUSE, LONGEST_PAUSE, PAUSE_SHARE = 0.02, 1.0, 0.05
"""Between two looks at a batch: a twentieth of the time that it took so far, in these limits (seconds), so that a short
job is not kept waiting and a long one is not asked for nothing."""

WAITING_PAUSE = 0.1
"""The longest while the batch waits behind others': so exactly is known when its time begins."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """``items`` are known once it was queued; ``share`` is how much of it ended, while that is known."""

    api: Api
    id: str = field(default_factory=lambda: f"{BATCH_PREFIX}{uuid4()}")
    items: list[int] = field(default_factory=list)
    interrupted: bool = False
    share: float | None = None

    async def enqueue(self, wanted: Mapping[str, Any], task_id: str, *, place: str) -> None:
        """Queue the batch, which is at ``place`` of the content. Raises PermanentError when it is refused."""
        if self.interrupted:
            raise _stopped()
        ours = {"batch_id": self.id, "origin": ORIGIN, "destination": wanted.get("destination") or task_id}
        answer = await self.api.enqueue({"runs": 1, **wanted, **ours}, place=place)
        self.items = sorted(answer["item_ids"])
        enqueued, requested = answer["enqueued"], answer["requested"]
        if not requested:
            raise PermanentError(
                "content", "content.batch.data: makes no queue item, because one of its lists is empty"
            )
        if enqueued < requested:
            raise RuntimeFault("queue-full", f"InvokeAI took {enqueued} of {requested} items; its queue is full")

    async def wait(self, monitor: RunMonitor) -> None:
        """Return when all items completed; raise when one did not. ``monitor`` learns when the first one begins."""
        looks = pauses(WAITING_PAUSE)
        while True:
            status = await self.api.batch_status(self.id)
            total, ended = status["total"], status["completed"] + status["failed"] + status["canceled"]
            if status["in_progress"] or status["completed"] or status["failed"]:
                looks = looks if monitor.begun.is_set() else pauses()
                monitor.begin()
            else:
                monitor.wait()
            if self.interrupted and status["completed"] < total:
                raise _stopped()
            if status["failed"]:
                raise await self._failure()
            if status["canceled"] or not total:
                raise RuntimeUnavailable(
                    "runtime-gone",
                    "InvokeAI dropped the graph: it was restarted, or another client canceled it or cleared its queue",
                )
            if ended == total:
                return
            self.share = ended / total if total > 1 else None
            await asyncio.sleep(next(looks))

    async def cancel(self) -> None:
        """Cancel all of its items, with one request: a batch may have many, and each request takes InvokeAI longer
        while a node runs. The batch's id also finds the items of an answer that never came."""
        await self.api.cancel_batches([self.id])

    async def is_busy(self) -> bool:
        """A canceled item is in progress no more, but its node may still run: then something is processed that has no
        name. What has another name is not ours."""
        status = await self.api.queue_status()
        return bool(status["processor"]["is_processing"]) and status["queue"]["batch_id"] in (None, self.id)

    async def _failure(self) -> AgentError:
        for item_id in self.items:
            item = await self.api.item(item_id)
            if item["status"] == "failed":
                return failure(item)
        return RuntimeFault("runtime-error", "an item of the batch failed, and InvokeAI does not show which")


def wanted_batch(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The batch that a task's content asks for, and where it is in the content. Raises PermanentError for none."""
    wrapped = "batch" in content
    wanted = content["batch"] if wrapped else content
    if not isinstance(wanted, dict) or not isinstance(wanted.get("graph"), dict):
        raise PermanentError(
            "content",
            'content: must be {"graph": {"nodes": …, "edges": …}}, or {"batch": {"graph": …, "runs": …}} as '
            f"InvokeAI's enqueue_batch takes it, got the keys {shown(sorted(content))}",
        )
    return wanted, "content.batch" if wrapped else "content"


async def cancel_leftovers(api: Api) -> None:
    """Cancel the batches of an earlier process, which are nobody's any more: waiting items outlive a restart. Never
    raises: what is not cancelled only takes time."""
    try:
        counts = (await api.queue_status())["queue"]
        if not counts.get("pending") and not counts.get("in_progress"):
            return
        active = [item for item in await api.items() if item.get("status") in {"pending", "in_progress"}]
        ids = {str(item.get("batch_id")) for item in active}
        if leftovers := sorted(batch_id for batch_id in ids if batch_id.startswith(BATCH_PREFIX)):
            await api.cancel_batches(leftovers)
    except RuntimeFault as fault:
        log.warning("batches of an earlier process stay", extra={"action": "clean", "cause": fault.message})


def pauses(longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Seconds between two looks at the same thing, for ever."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    while True:
        yield min(longest, max(SHORTEST_PAUSE, PAUSE_SHARE * (clock() - begun)))


def _stopped() -> Interrupted:
    return Interrupted("interrupted", "the graph was interrupted on this agent's word")
