"""Waiting with limits, and nobody dying silently."""

import asyncio

import pytest

from queue_agent.concurrency import (
    Background,
    all_of,
    any_set,
    cancel_all,
    set_within,
    supervise,
    until_done_or,
    within,
)


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise AttributeError("no such thing")


async def test_an_event_is_waited_for_within_its_time() -> None:
    event = asyncio.Event()
    assert not await set_within(event, 0.01)
    event.set()
    assert await set_within(event, 0)
    await any_set(asyncio.Event(), event)


async def test_work_that_takes_too_long_is_cancelled_and_waited_for() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    with pytest.raises(TimeoutError):
        await within(0.01, slow())
    assert ended.is_set()


async def test_a_limit_holds_in_a_task_that_is_being_cancelled() -> None:
    """Before Python 3.11.3 asyncio.timeout does not do that (gh-102780)."""
    limits: list[str] = []

    async def give_back() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            try:
                await within(0.01, forever())
            except TimeoutError:
                limits.append("kept")
            raise

    task = asyncio.create_task(give_back())
    await asyncio.sleep(0)
    await cancel_all([task])
    assert limits == ["kept"]
    assert task.cancelled()


async def test_the_end_of_the_main_part_ends_its_watchers() -> None:
    await asyncio.wait_for(supervise(asyncio.sleep(0.01), forever(), forever()), 30)


async def test_a_watcher_that_raises_ends_the_main_part() -> None:
    with pytest.raises(AttributeError, match="no such thing"):
        await asyncio.wait_for(supervise(forever(), fail(), forever()), 30)


async def test_an_error_of_the_main_part_is_raised_as_it_is() -> None:
    with pytest.raises(AttributeError, match="no such thing"):
        await asyncio.wait_for(supervise(fail(), forever()), 30)


async def test_what_goes_wrong_in_the_background_is_raised_by_its_watch() -> None:
    background = Background()
    background.spawn(asyncio.sleep(0.01))
    background.spawn(fail())
    with pytest.raises(AttributeError):
        await asyncio.wait_for(background.watch(), 30)
    await background.below(1)
    assert len(background) == 0


async def test_background_work_takes_its_first_step_before_it_is_cancelled() -> None:
    # Given work that releases what it was given, whatever happens to it
    released = list[str]()

    async def hold(what: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            released.append(what)

    background = Background()
    # When it is cancelled at once
    background.spawn(hold("a message"))
    await background.cancel()
    # Then
    assert released == ["a message"]


async def test_background_work_is_waited_for_until_the_abort_and_then_cut_off() -> None:
    background, abort = Background(), asyncio.Event()
    background.spawn(forever())
    draining = asyncio.create_task(background.drain(abort, 0.01))
    assert not await until_done_or(draining, seconds=0.05)
    abort.set()
    await asyncio.wait_for(draining, 30)
    assert len(background) == 0


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
