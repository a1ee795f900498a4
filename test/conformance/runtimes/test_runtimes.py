"""What holds of every runtime adapter, whatever the runtime."""

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO

import filetype
import pytest
from PIL import Image
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import Interrupted, PermanentError, RuntimeUnavailable, TaskTimeout
from queue_agent.runtimes.base import Output, Result, Runtime
from test.support.runtimes import is_ready, run_job

from .conftest import KITS, PATIENCE, Kit, Open, Simulator, eventually, running

STARTUP_SECONDS = 4.0
"""Long enough that even a busy machine looks at the runtime before it has started."""


async def _bytes(output: Output) -> bytes:
    return b"".join([part async for part in output.read()])


async def _pixels(output: Output) -> bytes:
    """The image itself: the text around it may name the run."""
    return Image.open(BytesIO(await _bytes(output))).tobytes()


def _places(result: Result) -> list[str]:
    return [f"s3://bucket/output/task/task-abcd-{number}.png" for number in range(1, len(result.outputs) + 1)]


def test_every_runtime_type_takes_part() -> None:
    # Then
    assert {path.stem for path in KITS.glob("*.py")} == {kind.value for kind in RuntimeType}


async def test_a_job_gives_its_image_and_tells_what_ran(kind: RuntimeType, kit: Kit, runtime: Runtime) -> None:
    # When
    result = await run_job(runtime, kit.SUCCESS)

    # Then
    assert len(result.outputs) == 1
    data = await _bytes(result.outputs[0])
    assert filetype.guess_mime(data) == "image/png"
    assert await _bytes(result.outputs[0]) == data, "an output can be read again"
    assert result.ran.runtime == kind.value
    assert result.ran.version


async def test_the_answer_is_json_with_the_place_where_the_image_was(kit: Kit, runtime: Runtime) -> None:
    # Given
    result = await run_job(runtime, kit.SUCCESS)
    data = await _bytes(result.outputs[0])

    # When
    answer = json.dumps(result.answer(_places(result)))

    # Then
    assert _places(result)[0] in answer
    assert len(answer) < len(data) + 16 * 1024, "the image itself is not in it"


async def test_many_outputs_arrive_whole_and_in_order(kit: Kit, runtime: Runtime) -> None:
    # When
    result = await run_job(runtime, kit.MANY)

    # Then
    assert len(result.outputs) == kit.MANY_OUTPUTS
    images = [await _bytes(output) for output in result.outputs]
    assert all(filetype.is_image(image) for image in images)
    assert len(set(images)) == len(images), "none stands for another"
    answer = json.dumps(result.answer(_places(result)))
    positions = [answer.index(place) for place in _places(result)]
    assert positions == sorted(positions)


async def test_the_same_job_run_twice_gives_the_same_image(kit: Kit, runtime: Runtime) -> None:
    # When
    first = await run_job(runtime, kit.SUCCESS)
    second = await run_job(runtime, kit.SUCCESS)

    # Then
    assert await _pixels(first.outputs[0]) == await _pixels(second.outputs[0])


async def test_what_the_caller_got_wrong_is_the_callers_fault_and_says_what(kit: Kit, runtime: Runtime) -> None:
    # When
    with pytest.raises(PermanentError) as caught:
        await run_job(runtime, kit.CALLERS_ERROR)

    # Then
    assert not isinstance(caught.value, TaskTimeout)
    assert kit.CALLERS_ERROR_SAYS in caught.value.message
    assert caught.value.type
    assert len(await _outputs_of(runtime, kit)) == 1, "the runtime still takes jobs"


async def test_an_error_while_running_is_told_with_its_cause(kit: Kit, runtime: Runtime) -> None:
    # When
    with pytest.raises(kit.RUNNING_ERROR_FAULT) as caught:
        await run_job(runtime, kit.RUNNING_ERROR)

    # Then
    assert type(caught.value) is kit.RUNNING_ERROR_FAULT
    assert kit.RUNNING_ERROR_SAYS in caught.value.message
    assert len(await _outputs_of(runtime, kit)) == 1, "the runtime still takes jobs"


async def test_a_runtime_killed_while_running_is_gone_and_not_the_callers_fault(
    kit: Kit, simulator: Simulator, runtime: Runtime
) -> None:
    # Given
    run = asyncio.create_task(run_job(runtime, kit.SLOW))
    await eventually(lambda: running(runtime))

    # When
    await simulator.kill()

    # Then
    with pytest.raises(RuntimeUnavailable):
        await asyncio.wait_for(run, PATIENCE)
    assert not await is_ready(runtime)


async def test_a_runtime_that_starts_slowly_is_not_ready_until_it_has_started(
    kit: Kit, simulator: Simulator, opened: Open
) -> None:
    # Given
    await simulator.start(startup_seconds=STARTUP_SECONDS)
    async with opened(simulator.url) as runtime:
        # When
        before = await is_ready(runtime)
        with pytest.raises(RuntimeUnavailable):
            await run_job(runtime, kit.SUCCESS)
        await eventually(lambda: is_ready(runtime))

        # Then
        assert not before
        assert len(await _outputs_of(runtime, kit)) == 1


async def test_a_run_that_is_cancelled_can_be_interrupted_so_that_the_next_one_finds_the_runtime_free(
    kit: Kit, runtime: Runtime
) -> None:
    # Given
    run = asyncio.create_task(run_job(runtime, kit.SLOW))
    await eventually(lambda: running(runtime))

    # When
    run.cancel()
    await asyncio.wait([run], timeout=PATIENCE)
    idle = await runtime.interrupt()

    # Then
    assert run.cancelled()
    assert idle
    async with asyncio.timeout(PATIENCE):
        assert len(await _outputs_of(runtime, kit)) == 1


async def test_an_interrupted_job_says_so_and_delivers_nothing(kit: Kit, runtime: Runtime) -> None:
    # Given
    run = asyncio.create_task(run_job(runtime, kit.SLOW))
    await eventually(lambda: running(runtime))

    # When
    idle = await runtime.interrupt()

    # Then
    assert idle
    with pytest.raises(Interrupted):
        await asyncio.wait_for(run, PATIENCE)
    assert len(await _outputs_of(runtime, kit)) == 1, "the runtime still takes jobs"


async def test_an_interrupt_without_a_job_does_not_harm_the_next_one(kit: Kit, runtime: Runtime) -> None:
    # When
    idle = await runtime.interrupt()

    # Then
    assert idle
    assert len(await _outputs_of(runtime, kit)) == 1


async def test_a_restart_between_two_tasks_goes_unnoticed(kit: Kit, simulator: Simulator, runtime: Runtime) -> None:
    # Given
    assert len(await _outputs_of(runtime, kit)) == 1
    await simulator.kill()
    assert not await is_ready(runtime)

    # When
    await simulator.start()
    await eventually(lambda: is_ready(runtime))

    # Then
    assert len(await _outputs_of(runtime, kit)) == 1


async def test_progress_grows_from_0_to_1_while_the_job_runs(kit: Kit, runtime: Runtime) -> None:
    # Given
    run = asyncio.create_task(run_job(runtime, kit.SLOW))
    await eventually(lambda: running(runtime))
    first = await runtime.progress()
    assert first is not None

    # When
    async def grown() -> bool:
        now = await runtime.progress()
        assert now is None or 0 <= now <= 1
        return now is not None and now > first

    await eventually(grown)

    # Then
    assert not run.done()
    await runtime.interrupt()
    await asyncio.wait([run], timeout=PATIENCE)


@pytest.fixture
async def silent() -> AsyncIterator[URL]:
    """A server that accepts connections and never answers, as a hung runtime does."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield URL(f"http://127.0.0.1:{port}")
    server.close()
    await server.wait_closed()


async def test_a_runtime_that_hangs_is_not_ready_and_nobody_waits_for_it_for_ever(opened: Open, silent: URL) -> None:
    # Given
    async with opened(silent) as runtime, asyncio.timeout(PATIENCE):
        # When
        ready, progress = await asyncio.gather(is_ready(runtime), runtime.progress())

    # Then
    assert not ready
    assert progress is None


async def test_a_runtime_that_is_not_there_is_gone_in_every_respect(
    kit: Kit, simulator: Simulator, opened: Open
) -> None:
    # Given
    await simulator.start()
    await simulator.kill()
    async with opened(simulator.url) as runtime:
        # When
        with pytest.raises(RuntimeUnavailable) as caught:
            await run_job(runtime, kit.SUCCESS)

        # Then
        assert caught.value.message
        assert not await is_ready(runtime)
        assert await runtime.progress() is None
        assert not await runtime.interrupt()


async def _outputs_of(runtime: Runtime, kit: Kit) -> list[bytes]:
    result = await run_job(runtime, kit.SUCCESS)
    return [await _bytes(output) for output in result.outputs]
