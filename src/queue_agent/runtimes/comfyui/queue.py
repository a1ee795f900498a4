"""ComfyUI's queue: whose prompts it holds, and how the agent's own are taken out of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from queue_agent.errors import RuntimeFault
from queue_agent.runtimes.body import MAX_LIST_BYTES
from queue_agent.runtimes.comfyui.api import Api

CLIENT_PREFIX = "queue-agent-"
"""Begins the client id of every agent, so that a new process knows the prompts of the one before it."""

STOP_SECONDS = 5.0
"""A sampling step that is under way is not cut short; a caller that can wait for a longer one asks again."""

FIRST_POLL, LAST_POLL, POLL_GROWTH = 0.05, 0.5, 1.5
"""Seconds between looks at the queue while a prompt is being stopped."""

FIRST_REPEAT, LAST_REPEAT = 0.5, 30.0
"""Seconds until an interrupt is sent again, doubling: ComfyUI forgets one that comes just before a prompt starts, and
writes a line into its log for each."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A prompt in ComfyUI's queue."""

    prompt_id: str
    client_id: str | None
    running: bool

    @property
    def from_agent(self) -> bool:
        """Whether an agent sent it: this process, or one before it."""
        return (self.client_id or "").startswith(CLIENT_PREFIX)


class Queue:
    """The queue as one agent sees it: ``client_id`` marks its own prompts, ``adopted`` one of an earlier process."""

    def __init__(self, api: Api, client_id: str) -> None:
        self._api = api
        self._client_id = client_id
        self._interrupts: dict[str, tuple[float, float]] = {}
        """Prompt id → when its last interrupt was sent (loop time), and the pause before the next (seconds)."""
        self.adopted: str | None = None

    async def read(self) -> list[Queued]:
        """Every prompt that runs or waits, from any client, running ones first."""
        queue = await self._api.http.get("queue", max_bytes=MAX_LIST_BYTES)
        return [_queued(item, running=running) for running, item in _items(queue)]

    async def idle(self) -> bool:
        """Whether the queue holds no prompt of this agent, and none is on its way there."""
        return not self._api.posting and not any(map(self._is_own, await self.read()))

    async def stop(self, *, leftovers: bool = False) -> bool:
        """Take this agent's prompts from the queue and interrupt the one that runs, until none is left; with
        ``leftovers`` also those of earlier processes. Whether none was left within STOP_SECONDS. Never raises."""
        pause = FIRST_POLL
        try:
            async with asyncio.timeout(STOP_SECONDS):
                while not await self._stop_once(leftovers=leftovers):
                    await asyncio.sleep(pause)
                    pause = min(pause * POLL_GROWTH, LAST_POLL)
        except TimeoutError:
            return False
        self._interrupts.clear()
        return True

    def _is_own(self, queued: Queued) -> bool:
        return queued.client_id == self._client_id or queued.prompt_id == self.adopted

    async def _stop_once(self, *, leftovers: bool) -> bool:
        """Whether nothing was left to stop."""
        try:
            found = [q for q in await self.read() if self._is_own(q) or (leftovers and q.from_agent)]
            for queued in found:
                if not queued.running:
                    await self._api.http.post("queue", {"delete": [queued.prompt_id]})
                elif self._interrupt_is_due(queued.prompt_id):
                    await self._api.http.post("interrupt", {"prompt_id": queued.prompt_id})
        except RuntimeFault:
            return False
        return not found and not self._api.posting

    def _interrupt_is_due(self, prompt_id: str) -> bool:
        now = asyncio.get_running_loop().time()
        sent, pause = self._interrupts.get(prompt_id, (now - FIRST_REPEAT, FIRST_REPEAT / 2))
        if now - sent < pause:
            return False
        self._interrupts[prompt_id] = (now, min(pause * 2, LAST_REPEAT))
        return True


def _items(queue: Mapping[str, Any]) -> list[tuple[bool, Any]]:
    return [
        (running, item)
        for name, running in (("queue_running", True), ("queue_pending", False))
        for item in queue.get(name, ())
    ]


def _queued(item: Any, *, running: bool) -> Queued:
    extra_data = item[3]
    client_id = extra_data.get("client_id") if isinstance(extra_data, dict) else None
    return Queued(str(item[1]), client_id, running)
