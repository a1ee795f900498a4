"""What came of a number of tasks, as their callers see it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from test.support.world import World

POLL_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Ending:
    """``callbacks`` by the task's id, in the order in which they came. ``left``: messages waiting and held."""

    tasks: int
    seconds: float
    callbacks: Mapping[str, list[dict[str, Any]]]
    left: tuple[int, int]
    dead_letters: int

    @property
    def lost(self) -> int:
        return self.tasks - len(self.callbacks)

    @property
    def failed(self) -> int:
        return sum(callbacks[0]["result"] is False for callbacks in self.callbacks.values())

    @property
    def completed(self) -> int:
        return sum(all(callback["result"] for callback in callbacks) for callbacks in self.callbacks.values())

    @property
    def repeated(self) -> int:
        return sum(len(callbacks) > 1 for callbacks in self.callbacks.values())

    @property
    def differing(self) -> int:
        return sum(any(callback != callbacks[0] for callback in callbacks) for callbacks in self.callbacks.values())

    @property
    def most(self) -> int:
        return max((len(callbacks) for callbacks in self.callbacks.values()), default=0)


async def ended(world: World, tasks: int, limit: float, *, quiet: float = 0.0) -> Ending:
    """The ending of so many tasks: each has its callback and no message is left, or ``limit`` seconds have passed.

    ``quiet`` seconds later it is read once more, for what would come too often. ``seconds`` is the time until all had
    ended.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + limit:
        if len({callback["id"] for callback in await world.callbacks()}) >= tasks and await world.depth() == (0, 0):
            break
        await asyncio.sleep(POLL_SECONDS)
    seconds = loop.time() - began
    await asyncio.sleep(quiet)
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for callback in await world.callbacks():
        by_task[callback["id"]].append(callback)
    dead_letters, _ = await world.depth(world.dead_letter_url)
    return Ending(tasks=tasks, seconds=seconds, callbacks=by_task, left=await world.depth(), dead_letters=dead_letters)
