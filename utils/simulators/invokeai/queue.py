"""The queue of a simulated InvokeAI: one item runs at a time, by priority and then in the order of arrival."""

import asyncio
import logging
import traceback
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from utils.simulators.base import Options
from utils.simulators.invokeai.cache import Cached, NodeCache
from utils.simulators.invokeai.fields import Output
from utils.simulators.invokeai.gallery import Gallery, now
from utils.simulators.invokeai.graph import AnyNode, Batch, FieldValue
from utils.simulators.invokeai.nodes import Context
from utils.simulators.invokeai.session import Session

MAX_PENDING = 10_000
"""Items that may wait (the real one's max_queue_size); what is more of a batch is left out."""

MAX_ENDED = 300
"""Ended items held; the oldest go first. The real one holds them all, or the last ``max_queue_history`` when it
starts."""

QUEUE_ID = "default"
"""The one queue that InvokeAI's own UI uses."""

_log = logging.getLogger(__name__)


class Status(StrEnum):
    """Of a queue item. ``waiting`` (for a called workflow) is counted by the API and never reached here."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED})


class Canceled(Exception):
    """Stops a node in the middle, as the real one's denoising stops."""


@dataclass(slots=True)
class Item:
    """One run of a graph. ``shown`` is the session as it was last saved: the real one saves it when a run ends, so a
    running item shows nothing of what it did."""

    item_id: int
    batch_id: str
    origin: str | None
    destination: str | None
    priority: int
    session: Session
    field_values: list[FieldValue]
    shown: dict[str, Any]
    status: Status = Status.PENDING
    status_sequence: int = 0
    error: tuple[str, str, str] | None = None
    """Type, message and traceback."""
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    started_at: str | None = None
    completed_at: str | None = None

    def become(self, status: Status) -> None:
        """Change the status, unless the item ended."""
        if self.status in ENDED:
            return
        self.status, self.status_sequence, self.updated_at = status, self.status_sequence + 1, now()
        if status is Status.IN_PROGRESS:
            self.started_at = self.updated_at
        if status in ENDED:
            self.completed_at = self.updated_at

    def save(self) -> None:
        """Show the session as it is now."""
        self.shown, self.updated_at = self.session.dump(), now()

    def dump(self) -> dict[str, Any]:
        """The item as the API shows it, with nulls."""
        error_type, error_message, error_traceback = self.error or (None, None, None)
        return {
            "item_id": self.item_id,
            "status": self.status.value,
            "status_sequence": self.status_sequence,
            "priority": self.priority,
            "batch_id": self.batch_id,
            "origin": self.origin,
            "destination": self.destination,
            "session_id": self.session.id,
            "error_type": error_type,
            "error_message": error_message,
            "error_traceback": error_traceback,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
            "queue_id": QUEUE_ID,
            "user_id": "system",
            "user_display_name": "System",
            "user_email": "system@system.invokeai",
            "field_values": self.field_values,
            "retried_from_item_id": None,
            "device": "cpu",
            "workflow_call_id": None,
            "parent_item_id": None,
            "parent_session_id": None,
            "root_item_id": None,
            "workflow_call_depth": None,
            "session": self.shown,
            "workflow": None,
        }


@dataclass(frozen=True, slots=True)
class Disk:
    """What outlives a restart: images, and items by id."""

    gallery: Gallery = field(default_factory=Gallery)
    items: dict[int, Item] = field(default_factory=dict)


class Queue:
    """Items by id. ``work`` runs them until it is canceled; of those on the disk, what ran is canceled, and what waited
    runs."""

    def __init__(self, options: Options, disk: Disk) -> None:
        gallery = disk.gallery
        self._options = options
        self._gallery = gallery
        self._items = disk.items
        self._last_id = max(self._items, default=0)
        if self.current is not None:
            self.current.become(Status.CANCELED)
        self._running: Item | None = None
        self._more = asyncio.Event()
        self._cache = NodeCache()
        gallery.on_delete(self._cache.forget)

    @property
    def is_processing(self) -> bool:
        """Whether an item's nodes run; for a moment also after it was canceled."""
        return self._running is not None

    @property
    def current(self) -> Item | None:
        """The item in progress."""
        return next((item for item in self._items.values() if item.status is Status.IN_PROGRESS), None)

    def get(self, item_id: int) -> Item | None:
        return self._items.get(item_id)

    def items(self) -> list[Item]:
        """All items that are remembered, oldest first."""
        return list(self._items.values())

    def enqueue(self, batch: Batch, *, prepend: bool) -> list[Item]:
        """One item for each variant of the batch, as far as there is room. Raises ValidationError as the batch does."""
        pending = [item.priority for item in self._items.values() if item.status is Status.PENDING]
        priority = 1 + max(pending, default=0) if prepend else 0
        items = []
        for graph, values in islice(batch.variants(), MAX_PENDING - len(pending)):
            self._last_id += 1
            session = Session(graph)
            items.append(
                Item(
                    item_id=self._last_id,
                    batch_id=batch.batch_id,
                    origin=batch.origin,
                    destination=batch.destination,
                    priority=priority,
                    session=session,
                    field_values=values,
                    shown=session.dump(),
                )
            )
        self._items.update((item.item_id, item) for item in items)
        self._more.set()
        return items

    def counts(self, batch_id: str | None = None) -> dict[str, int]:
        """How many items there are of each status, and in total; of one batch or of all."""
        of = Counter(item.status for item in self._items.values() if batch_id in (None, item.batch_id))
        return {**{status.value: of[status] for status in Status}, "total": of.total()}

    def batch(self, batch_id: str) -> list[Item]:
        """The batch's items, oldest first."""
        return [item for item in self._items.values() if item.batch_id == batch_id]

    def remove(self, items: list[Item]) -> int:
        """Forget the items, and how many they are; one that runs stops after its node."""
        for item in items:
            item.become(Status.CANCELED)
            del self._items[item.item_id]
        return len(items)

    async def work(self) -> None:
        """Run items, one at a time, for ever."""
        while True:
            item = self._next()
            if item is None:
                self._more.clear()
                await self._more.wait()
                continue
            self._running = item
            try:
                await self._run(item)
            finally:
                self._running = None
            self._forget_old()

    def _next(self) -> Item | None:
        pending = [item for item in self._items.values() if item.status is Status.PENDING]
        return min(pending, key=lambda item: (-item.priority, item.item_id), default=None)

    async def _run(self, item: Item) -> None:
        item.become(Status.IN_PROGRESS)
        _log.info("%s: running queue item %s", self._options.name, item.item_id)
        context = self._context(item)
        while item.status is Status.IN_PROGRESS:
            node = item.session.next()
            if node is None:
                break
            await self._run_node(item, node, context)
        item.save()
        item.become(Status.COMPLETED)
        _log.info("%s: queue item %s is %s", self._options.name, item.item_id, item.status)

    async def _run_node(self, item: Item, node: AnyNode, context: Context) -> None:
        try:
            node.check_inputs()
            output = await self._output(node, context)
        except Canceled:
            return
        except Exception as error:  # noqa: BLE001 - any error of a node fails its item, and only that
            kind, message = type(error).__name__, str(error)
            item.session.errors[node.id] = f"{kind}: {message}"
            if item.status not in ENDED:
                item.error = (kind, message, traceback.format_exc())
            item.save()
            item.become(Status.FAILED)
            _log.info("%s: node %s failed: %s: %s", self._options.name, node.node_type, kind, message)
        else:
            item.session.complete(node.id, output)

    async def _output(self, node: AnyNode, context: Context) -> Output:
        if cached := self._cache.find(node):
            context.tensors.update(cached.tensors)
            return cached.output
        before = set(context.tensors)
        output = await node.run(context)
        added = {name: tensor for name, tensor in context.tensors.items() if name not in before}
        self._cache.add(node, Cached(output, added))
        return output

    def _context(self, item: Item) -> Context:
        async def step() -> None:
            await asyncio.sleep(self._options.seconds_per_step)

        def stop_if_canceled() -> None:
            if item.status is Status.CANCELED:
                raise Canceled

        return Context(
            gallery=self._gallery,
            models=self._options.models,
            label="simulated InvokeAI",
            session_id=item.session.id,
            tensors={},
            step=step,
            stop_if_canceled=stop_if_canceled,
        )

    def _forget_old(self) -> None:
        ended = [item.item_id for item in self._items.values() if item.status in ENDED]
        for item_id in ended[:-MAX_ENDED]:
            del self._items[item_id]
