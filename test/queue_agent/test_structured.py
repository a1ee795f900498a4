"""Waiting with a limit, and for several at once."""

import asyncio

import pytest

from queue_agent.structured import all_of, within


async def value(of: int, seconds: float = 0.0) -> int:
    await asyncio.sleep(seconds)
    return of


async def never(ended: asyncio.Event | None = None) -> int:
    try:
        await asyncio.Event().wait()
    finally:
        if ended:
            await asyncio.sleep(0.01)
            ended.set()
    raise AssertionError


async def broken(seconds: float = 0.0) -> int:
    await asyncio.sleep(seconds)
    raise ValueError("broken")


async def test_work_that_ends_in_time_gives_its_result_or_its_error() -> None:
    assert await within(30, value(1)) == 1
    with pytest.raises(ValueError, match="broken"):
        await within(30, broken())


async def test_work_that_is_late_has_ended_when_that_is_said() -> None:
    ended = asyncio.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        await within(0.05, never(ended))
    assert ended.is_set()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_time_left_is_a_time_out(seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await within(seconds, never())


async def test_a_time_out_in_a_cancelled_task_is_a_time_out() -> None:
    """Python 3.11.2's asyncio.timeout takes it for the cancellation."""

    async def clean_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await within(0.01, never())
            except TimeoutError:
                return "timed out"
        return "cancelled"

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "timed out"


async def test_a_cancellation_is_never_swallowed() -> None:
    ended = asyncio.Event()
    task = asyncio.create_task(within(30, never(ended)))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended.is_set()


async def test_results_come_in_the_order_of_the_works() -> None:
    assert await all_of([value(1, 0.02), value(2), value(3, 0.01)]) == [1, 2, 3]
    assert await all_of([]) == []


async def test_one_error_ends_the_others_before_it_is_raised() -> None:
    first, last = asyncio.Event(), asyncio.Event()
    with pytest.raises(ValueError, match="broken"):
        await all_of([never(first), broken(0.01), never(last)])
    assert first.is_set()
    assert last.is_set()


async def test_a_cancellation_ends_all() -> None:
    ended = [asyncio.Event(), asyncio.Event()]
    task = asyncio.create_task(all_of(never(event) for event in ended))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert all(event.is_set() for event in ended)
