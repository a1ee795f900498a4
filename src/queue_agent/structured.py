"""Waiting with a limit, and for several at once, such that nothing is left running and no cancellation is lost.

``asyncio.timeout`` of Python 3.11.2 takes its own time-out for a cancellation in a task that was cancelled before
(gh-102780), and ``asyncio.wait_for`` of 3.11 may swallow a cancellation that comes as its work ends (gh-86296). Both
happen to a task that gives a message back while it is being stopped.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work. Raises TimeoutError after so many seconds, when the work has been cancelled and awaited,
    and what the work raises."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=max(0.0, seconds))
        if task.done():
            return task.result()
        raise TimeoutError(f"no answer within {max(0.0, seconds):.3g} s")
    finally:
        await _cancelled([task])


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all works, in order. When one raises, the others are cancelled and awaited before its error is
    raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        return [task.result() for task in tasks]
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: Sequence[asyncio.Future[T]]) -> None:
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not report it as forgotten
