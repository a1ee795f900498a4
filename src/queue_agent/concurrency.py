"""Small helpers around asyncio's tasks and events.

None of them uses ``asyncio.timeout``: before Python 3.11.3 it passes its own expiry on as a cancellation when the task
around it is being cancelled (gh-102780), which is just when a message is released. ``asyncio.wait_for`` of 3.11 may
swallow a cancellation that comes as its work ends (gh-86296).
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def any_set(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set, for at most so long."""
    if any(event.is_set() for event in events):
        return
    waiters = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, for at most so long; whether it is set."""
    await any_set(event, seconds=seconds)
    return event.is_set()


async def cancel_all(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel the tasks and wait for their ends, whatever these are."""
    pending = set(tasks)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``. Raises TimeoutError, after its cancellation has ended, when it takes longer."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=max(0.0, seconds))
        if task.done():
            return task.result()
        raise TimeoutError(f"no answer within {max(0.0, seconds):.3g} s")
    finally:
        if not task.done():
            await cancel_all([task])
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not report it as never retrieved


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all works, in order. When one raises, the others are cancelled and awaited before its error is
    raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        return [task.result() for task in tasks]
    finally:
        await cancel_all(task for task in tasks if not task.done())
        for task in tasks:
            if not task.cancelled():
                task.exception()  # seen, so that asyncio does not report it as never retrieved


async def until_done_or(task: "asyncio.Task[Any]", *events: asyncio.Event, seconds: float | None = None) -> bool:
    """Wait until the task is done or one of the events is set, for at most so long; whether the task is done."""
    waiters = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait({task, *waiters}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
    return task.done()


async def supervise(main: Coroutine[Any, Any, None], *watchers: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` to its end while the watchers run, which are cancelled then.

    Whatever one of them raises cancels the others and is raised here: nobody dies silently. Of several errors the first
    is raised.
    """
    try:
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(watcher) for watcher in watchers]
            await main
            for task in others:
                task.cancel()
    except BaseExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__


class Background:
    """Tasks that go on while others begin. An error that one raises is raised by ``watch``."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def watch(self) -> None:
        """Wait for the first task that raises, and raise its error. Cancelled when nobody waits for one any more."""
        await self._failed

    async def below(self, number: int) -> None:
        """Wait until fewer than ``number`` tasks are left."""
        while len(self._tasks) >= number:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def drain(self, abort: asyncio.Event, closing_seconds: float) -> None:
        """Wait for all tasks; once ``abort`` is set, for ``closing_seconds`` more, then cancel what is left."""
        while self._tasks and not abort.is_set():
            await until_done_or(next(iter(self._tasks)), abort)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=closing_seconds)
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their ends."""
        # A task that is cancelled before its first step runs nothing at all, not even what would release its message.
        await asyncio.sleep(0)
        await cancel_all(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)
