"""The cause that a user gets of a batch that failed, for every recorded error and for a server that falls silent."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web

from queue_agent.errors import AgentError, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.invokeai import Adapter

from .conftest import ENQUEUE, PATIENCE, Replay, Serve, cause_of, recorded

BATCH = "GET batch"


def batch_status(**counts: int) -> tuple[int, Any]:
    """The recorded status of a batch, with other counts."""
    status, body = recorded("batch-status")
    return status, {**body, "completed": 0, **counts, "total": sum(counts.values())}


async def test_a_failed_node_is_the_callers_fault_with_node_error_and_the_end_of_the_traceback(replay: Replay) -> None:
    # Given
    adapter = await replay(
        {
            ENQUEUE: recorded("enqueue-missing-image"),
            BATCH: batch_status(failed=1),
            "GET /api/v1/queue/default/i/12": recorded("item-failed"),
        }
    )

    # When
    cause = await cause_of(adapter)

    # Then
    assert type(cause) is PermanentError
    assert cause.type == "node-failed"
    assert cause.message == (
        "node load (image) failed: ImageRecordNotFoundException: Image record not found "
        "(the traceback ends with: <traceback, 19 lines>)"
    )


@pytest.mark.parametrize(
    ("changes", "fault", "says"),
    [
        (
            {"error_traceback": "Traceback …\ninvokeai.app.ImageRecordNotFoundException: Image record not found\n"},
            PermanentError,
            "node load (image) failed: ImageRecordNotFoundException: Image record not found",
        ),
        (
            {"error_type": "OutOfMemoryError", "error_message": "out of memory", "error_traceback": ""},
            RuntimeFault,
            "node load (image) failed: OutOfMemoryError: out of memory; if it comes again, ask for a smaller image",
        ),
        (
            {"error_type": "RuntimeError", "error_message": "CUDA error: device-side assert", "error_traceback": ""},
            RuntimeFault,
            "node load (image) failed: RuntimeError: CUDA error: device-side assert",
        ),
        (
            {"error_type": "OSError", "error_message": "[Errno 28] No space left on device", "error_traceback": ""},
            RuntimeFault,
            "node load (image) failed: OSError: [Errno 28] No space left on device",
        ),
    ],
)
async def test_the_machines_trouble_is_not_the_callers(
    changes: dict[str, str], fault: type[AgentError], says: str, replay: Replay
) -> None:
    # Given
    status, item = recorded("item-failed")
    adapter = await replay(
        {
            ENQUEUE: recorded("enqueue-missing-image"),
            BATCH: batch_status(failed=1),
            "GET /api/v1/queue/default/i/12": (status, item | changes),
        }
    )

    # When
    cause = await cause_of(adapter)

    # Then
    assert (type(cause), cause.message) == (fault, says)


async def test_an_error_outside_of_any_node_is_told_without_one(replay: Replay) -> None:
    # Given
    status, item = recorded("item-failed")
    item["session"]["errors"] = {}
    adapter = await replay(
        {
            ENQUEUE: recorded("enqueue-missing-image"),
            BATCH: batch_status(failed=1),
            "GET /api/v1/queue/default/i/12": (status, item),
        }
    )

    # When
    cause = await cause_of(adapter)

    # Then
    assert cause.message.startswith("the graph failed: ImageRecordNotFoundException")


async def test_a_canceled_item_that_nobody_here_canceled_is_never_a_success(replay: Replay) -> None:
    # Given
    adapter = await replay(
        {
            ENQUEUE: recorded("enqueue-slow"),
            BATCH: batch_status(canceled=1),
            "GET /api/v1/queue/default/i/13": recorded("item-canceled"),
        }
    )

    # When
    cause = await cause_of(adapter)

    # Then
    assert type(cause) is RuntimeUnavailable
    assert cause.message == (
        "InvokeAI dropped the graph: it was restarted, or another client canceled it or cleared its queue"
    )


async def test_an_item_that_the_queue_does_not_know_is_not_the_callers_fault(replay: Replay) -> None:
    # Given
    adapter = await replay(
        {
            ENQUEUE: recorded("enqueue-ok"),
            BATCH: batch_status(completed=1),
            "GET /api/v1/queue/default/i/11": recorded("item-unknown"),
        }
    )

    # When
    cause = await cause_of(adapter)

    # Then
    assert type(cause) is RuntimeFault
    assert cause.message == (
        "InvokeAI answered 404 to GET /api/v1/queue/default/i/11: Queue item with id 999999 not found in queue default"
    )


async def test_a_server_that_does_not_answer_is_given_up(
    serve: Serve, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    for limit in ("ANSWER_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(f"queue_agent.runtimes.invokeai.api.{limit}", 0.2)

    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", never)
    adapter = Adapter((await serve(app)).url, session)

    # When
    cause = await asyncio.wait_for(cause_of(adapter), PATIENCE)

    # Then
    assert type(cause) is RuntimeFault
    assert cause.type == "runtime-silent"
    assert not await adapter.interrupt()


async def test_a_failed_item_that_is_not_one_of_ours_still_fails_the_batch(replay: Replay) -> None:
    # Given
    answers = {
        ENQUEUE: recorded("enqueue-ok"),
        BATCH: batch_status(completed=1, failed=1),
        "GET /api/v1/queue/default/i/11": recorded("item-completed"),
    }

    # When
    cause = await cause_of(await replay(answers))

    # Then
    assert type(cause) is RuntimeFault
