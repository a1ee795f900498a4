"""The simulated ComfyUI's queue of prompts, one of them running, and the history of those that ended."""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from utils.simulators.comfyui.node import Prompt

MAX_HISTORY = 10_000
"""Prompts that are remembered, as in the real one."""


@dataclass(frozen=True, slots=True)
class Item:
    """A queued prompt; a smaller ``number`` runs first."""

    number: float
    prompt_id: str
    prompt: Prompt
    extra_data: dict[str, Any]
    outputs: list[str]

    def __lt__(self, other: "Item") -> bool:
        return (self.number, self.prompt_id) < (other.number, other.prompt_id)

    @property
    def entry(self) -> list[Any]:
        """As /queue and /history show it."""
        return [self.number, self.prompt_id, self.prompt, self.extra_data, self.outputs]


class PromptQueue:
    """``updated`` is called after every change of how many prompts remain."""

    def __init__(self, updated: Callable[[], Awaitable[None]]) -> None:
        self.interrupted = False
        self._updated = updated
        self._pending: list[Item] = []
        self._running: Item | None = None
        self._history: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._filled = asyncio.Event()

    @property
    def remaining(self) -> int:
        return len(self._pending) + (self._running is not None)

    @property
    def running(self) -> list[Item]:
        return [self._running] if self._running else []

    @property
    def pending(self) -> list[Item]:
        return sorted(self._pending)

    async def put(self, item: Item) -> None:
        heapq.heappush(self._pending, item)
        self._filled.set()
        await self._updated()

    async def take(self) -> Item:
        """Wait for a prompt; from here on it is the one that runs."""
        while not self._pending:
            self._filled.clear()
            await self._filled.wait()
        self._running = item = heapq.heappop(self._pending)
        self.interrupted = False
        await self._updated()
        return item

    async def finish(self, item: Item, record: dict[str, Any]) -> None:
        """Remember how the running prompt ended."""
        self._running = None
        self._history[item.prompt_id] = {"prompt": item.entry, **record}
        if len(self._history) > MAX_HISTORY:
            self._history.popitem(last=False)
        await self._updated()

    async def drop(self, prompt_ids: Iterable[str] | None = None) -> None:
        """Take these prompts, or all, out of the queue; the running one stays."""
        gone = {item.prompt_id for item in self._pending} if prompt_ids is None else set(prompt_ids)
        self._pending = [item for item in self._pending if item.prompt_id not in gone]
        heapq.heapify(self._pending)
        await self._updated()

    def interrupt(self, prompt_id: str | None = None) -> None:
        """Stop what runs; with an id, only if that prompt is the one."""
        if self._running and prompt_id in {None, self._running.prompt_id}:
            self.interrupted = True

    def history(self, prompt_id: str | None = None) -> dict[str, Any]:
        """All records, or the one of the id: ``{id: record}``, empty when there is none."""
        if prompt_id is None:
            return dict(self._history)
        return {prompt_id: self._history[prompt_id]} if prompt_id in self._history else {}

    def forget(self, prompt_ids: Iterable[str] | None = None) -> None:
        """Drop these records, or all."""
        for prompt_id in list(self._history) if prompt_ids is None else prompt_ids:
            self._history.pop(prompt_id, None)
