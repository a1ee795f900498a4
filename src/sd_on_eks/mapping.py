"""Many flows at a time, their results in order."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from typing import Any, TypeVar

from sd_on_eks.transport import AsyncTransport
from sd_on_eks.wire import Flow

T = TypeVar("T")

CONCURRENCY = 8
"""Tasks that ``map`` has under way unless the caller says so."""

WINDOW = 2
"""Flows that are begun or done for each that may run: one that takes long does not stop the others at once."""

CLOSE_SECONDS = 10.0
"""How long to wait for the requests under way to be dropped; they need a moment each."""


async def run_all(transport: AsyncTransport, flows: Iterable[Flow[T]], concurrency: int) -> AsyncGenerator[T, None]:
    """The results of ``flows``, in their order; ``concurrency`` run at a time. Raises at its place what one raised,
    and drops the others then, as when the generator is closed."""
    slots = asyncio.Semaphore(concurrency)
    remaining = iter(flows)
    begun: deque[asyncio.Task[T]] = deque()

    async def run(flow: Flow[T]) -> T:
        async with slots:
            return await transport.run(flow)

    def begin() -> None:
        while len(begun) < WINDOW * concurrency and (flow := next(remaining, None)) is not None:
            begun.append(asyncio.create_task(run(flow)))

    try:
        begin()
        while begun:
            result = await begun[0]
            begun.popleft()
            begin()
            yield result
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


def pulled(make: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
    """The items of an asynchronous generator, which lives on an event loop in a thread of its own until this iterator
    is closed. It goes on only while an item is asked for, and in the tasks that it has begun."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="map", daemon=True)
    thread.start()

    def call(coroutine: Any, seconds: float | None = None) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(seconds)

    items = make()
    end = object()

    async def following() -> Any:
        return await anext(items, end)

    try:
        while (item := call(following())) is not end:
            yield item
    finally:
        call(_close(items), CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        loop.close()


async def _close(items: AsyncGenerator[Any, None]) -> None:
    """End what still runs, which is the case when the caller was interrupted, and then the generator."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await items.aclose()
    await asyncio.get_running_loop().shutdown_default_executor()
