"""How the process is told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_agent.lifecycle.shutdown import SIGNALS, Shutdown, shutdown_on_signals

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Signals that nobody caught; without this one of them would end the test run."""
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in SIGNALS}
    yield caught
    for number, handler in before.items():
        signal.signal(number, handler)


async def heard(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_means_take_no_more_the_second_hand_everything_back(
    strays: list[int], number: signal.Signals
) -> None:
    async with shutdown_on_signals() as stop:
        assert not stop.requested.is_set()

        # When
        signal.raise_signal(number)

        # Then
        await heard(stop.requested)
        assert not stop.abort.is_set()

        # When
        signal.raise_signal(number)

        # Then
        await heard(stop.abort)
    assert strays == []


async def test_any_two_signals_are_two_words(strays: list[int]) -> None:
    async with shutdown_on_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        await heard(stop.requested)
        signal.raise_signal(signal.SIGTERM)
        await heard(stop.abort)


async def test_afterwards_the_signals_are_no_longer_ours(strays: list[int]) -> None:
    async with shutdown_on_signals():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_asked_twice_it_means_now_and_more_often_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    # Given
    caplog.set_level("INFO")
    stop = Shutdown()

    # When
    stop.request()

    # Then
    assert (stop.requested.is_set(), stop.abort.is_set()) == (True, False)

    # When
    stop.request()
    stop.request()

    # Then
    assert stop.abort.is_set()
    assert [getattr(record, "action", None) for record in caplog.records] == ["stop", "abort", "abort"]


async def test_a_pause_ends_with_the_stop() -> None:
    # Given a pause that is far longer than the test may take
    stop = Shutdown()
    pause = asyncio.create_task(stop.pause(3600))
    await asyncio.sleep(0)
    assert not pause.done()

    # When
    stop.request()

    # Then
    await asyncio.wait_for(pause, PATIENCE)


async def test_a_pause_ends_by_itself() -> None:
    stop = Shutdown()
    await asyncio.wait_for(stop.pause(0.01), PATIENCE)
    assert not stop.requested.is_set()


PROGRAM = """
import asyncio
from queue_agent.lifecycle.shutdown import shutdown_on_signals

async def main():
    async with shutdown_on_signals() as stop:
        print("started", flush=True)
        await stop.requested.wait()
        print("finishing", flush=True)
        await stop.abort.wait()
        print("handed back", flush=True)

asyncio.run(main())
"""


async def test_sigterm_reaches_the_process_and_it_exits_by_itself() -> None:
    # Given
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == b"started\n"

            # When, and then
            process.send_signal(signal.SIGTERM)
            assert await process.stdout.readline() == b"finishing\n"
            process.send_signal(signal.SIGTERM)
            assert await process.stdout.readline() == b"handed back\n"
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
