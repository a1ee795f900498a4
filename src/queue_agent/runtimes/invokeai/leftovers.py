"""What a run without a result leaves on InvokeAI: items that wait or run, and images that nobody fetches."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from queue_agent.concurrency import cancel_all
from queue_agent.errors import AgentError
from queue_agent.runtimes.invokeai.api import Api
from queue_agent.runtimes.invokeai.batch import Batch, pauses
from queue_agent.runtimes.invokeai.session import image_names

CLEAR_SECONDS = 900.0
"""How long a server that is away, or a node that does not end, is waited for; as long as the agent waits for a runtime
that is away. What is left then stays, as after a killed agent."""

CLOSING_SECONDS = 1.0
"""How long the end of the agent waits for what is being cleared."""

log = logging.getLogger(__name__)


class Leftovers:
    """Clears in the background, while the next task may run."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._clearing: set[asyncio.Task[None]] = set()

    def clear(self, batch: Batch) -> None:
        """Cancel the batch, also if the server is away now and starts what waited when it is back; then delete the
        images that it made."""
        task = asyncio.create_task(self._clear(batch), name="clear")
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def close(self) -> None:
        """Clear for a moment more."""
        if self._clearing:
            await asyncio.wait(self._clearing, timeout=CLOSING_SECONDS)
        await cancel_all(self._clearing)

    async def _clear(self, batch: Batch) -> None:
        try:
            async with asyncio.timeout(CLEAR_SECONDS):
                await _stop(batch)
                for item_id in batch.items:
                    with suppress(AgentError):  # a person may have removed the item
                        await delete_images(self._api, [await self._api.item(item_id)])
        except TimeoutError:
            log.warning("what a run left stays on the runtime", extra={"action": "clean", "batch": batch.id})


async def delete_images(api: Api, items: Iterable[Mapping[str, Any]]) -> None:
    """Delete the images that the items' nodes made, intermediate ones included. Raises AgentError."""
    sessions = [item["session"] for item in items]
    names = sorted({name for session in sessions for name in image_names(session["results"])})
    if names:
        await api.delete_of(names, {session["id"] for session in sessions})


async def _stop(batch: Batch) -> None:
    """Return when nothing of the batch runs any more."""
    for pause in pauses():
        with suppress(AgentError):
            await batch.cancel()
            if not await batch.is_busy():
                return
        await asyncio.sleep(pause)
