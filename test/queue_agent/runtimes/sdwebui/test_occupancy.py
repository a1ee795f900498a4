"""Whose job a WebUI shows: ours, somebody else's, or one that has ended without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from contract.runtimes import TaskType
from queue_agent.errors import AgentError, Interrupted, PermanentError, RuntimeBusy, RuntimeFault
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import is_ready, run_job
from test.support.sdwebui import Client, serve
from utils.simulators.base import Options
from utils.simulators.drawing import draw
from utils.simulators.sdwebui.drawing import encode

from .conftest import Connect, MakeJob, Watched

PATIENCE = 20.0
IMAGE = encode(draw("small", 1, 64, 64, label="x"))
UNKNOWN: dict[str, Any] = {"image": IMAGE, "upscaler_1": "none such"}
TOO_LARGE: dict[str, Any] = {"image": IMAGE, "upscaler_1": "Lanczos", "upscaling_resize": 1000}


def _upscaling(content: dict[str, Any]) -> Job:
    return Job(id="task", tasktype=TaskType.EXTRA_SINGLE_IMAGE, content=content)


@pytest.mark.parametrize(("content", "kind"), [(UNKNOWN, PermanentError), (TOO_LARGE, RuntimeFault)])
async def test_after_an_upscaling_that_failed_the_next_job_runs_at_once(
    webui: Client, adapter: Adapter, make_job: MakeJob, content: dict[str, Any], kind: type[AgentError]
) -> None:
    # Given an upscaling that failed, which WebUI shows as running until another job has run
    with pytest.raises(kind):
        await run_job(adapter, _upscaling(content))

    # When
    ready = await is_ready(adapter)
    result = await asyncio.wait_for(run_job(adapter, make_job()), PATIENCE)

    # Then
    assert ready
    assert len(result.outputs) == 1
    assert (await webui.state())["job_count"] == 0


async def test_somebody_elses_upscaling_that_failed_does_not_keep_the_runtime_busy(
    webui: Client, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    assert (await webui.post("extra-single-image", UNKNOWN))[0] == 500
    async with connect(webui, still_seconds=0.2) as adapter:
        with pytest.raises(RuntimeBusy):
            await adapter.check_ready()

        # When
        result = await asyncio.wait_for(run_job(adapter, make_job()), PATIENCE)

        # Then
        assert len(result.outputs) == 1
        assert await is_ready(adapter)


async def test_somebody_elses_long_step_is_waited_for_and_not_disturbed(connect: Connect, make_job: MakeJob) -> None:
    # Given a job whose steps take longer than a job may show nothing new
    watched = Watched(Options(seconds_per_step=0.4))
    async with serve(watched.app) as client, connect(client, still_seconds=0.05) as adapter:
        theirs = asyncio.create_task(client.ok("txt2img", {"steps": 3, "width": 64, "height": 64}))
        await client.eventually(lambda state: state["job_count"] != 0)

        # When
        ours = await asyncio.wait_for(run_job(adapter, make_job(steps=1)), PATIENCE)

        # Then
        assert theirs.done()
        assert len((await theirs)["images"]) == len(ours.outputs) == 1
        assert watched.calls.count("interrupt") == 0
        assert watched.calls.count("extra-single-image") <= 3, "at most once for each thing that it showed"


class Following:
    """A WebUI whose first job has ended while its answer is still being encoded; another client's job may run."""

    def __init__(self, parts: int = 1) -> None:
        self.stamp = "20260101000001"
        self.progress = 0.5
        self.parts = parts
        self.begun, self.encoded = asyncio.Event(), asyncio.Event()
        self.looks = 0
        self.interrupted: list[str] = []
        self.app = web.Application()
        self.app.add_routes(
            [
                web.post("/sdapi/v1/txt2img", self._generate),
                web.post("/sdapi/v1/extra-batch-images", self._generate),
                web.post("/sdapi/v1/interrupt", self._interrupt),
                web.get("/sdapi/v1/progress", self._progress),
            ]
        )

    async def looked(self) -> None:
        """Wait until /progress was asked three more times."""
        target = self.looks + 3
        async with asyncio.timeout(PATIENCE):
            while self.looks < target:  # noqa: ASYNC110 - the adapter looks when it wants
                await asyncio.sleep(0.01)

    async def _generate(self, request: web.Request) -> web.Response:
        await request.read()
        self.begun.set()
        await self.encoded.wait()
        return web.json_response({"images": ["aW1hZ2U="] * self.parts, "parameters": {}, "info": "{}"})

    async def _interrupt(self, _: web.Request) -> web.Response:
        self.interrupted.append(self.stamp)
        return web.json_response({})

    async def _progress(self, _: web.Request) -> web.Response:
        self.looks += 1
        count = self.parts if self.begun.is_set() and not self.encoded.is_set() else 0
        state = {"job_count": count, "job_timestamp": self.stamp}
        return web.json_response({"progress": self.progress, "state": state})


@asynccontextmanager
async def _running(following: Following, connect: Connect, job: Job) -> AsyncIterator[Adapter]:
    """A job of ours that has begun; at the end it is seen to have been interrupted."""
    async with serve(following.app) as client, connect(client) as adapter:
        run = asyncio.create_task(run_job(adapter, job))
        await asyncio.wait_for(following.begun.wait(), PATIENCE)
        yield adapter
        with pytest.raises(Interrupted):
            await asyncio.wait_for(run, PATIENCE)


async def test_a_job_that_follows_ours_is_neither_interrupted_nor_is_its_progress_ours(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given a job of ours that has run, and whose images are being encoded
    following = Following()
    async with _running(following, connect, make_job()) as adapter:
        assert await adapter.progress() == 0.5
        theirs = following.stamp = "20260101000009"

        # When
        progress = await adapter.progress()
        interrupting = asyncio.create_task(adapter.interrupt())
        await following.looked()
        following.encoded.set()

        # Then
        assert await interrupting
        assert progress is None
        assert theirs not in following.interrupted


async def test_an_interrupt_that_ends_our_job_does_not_end_the_one_that_follows(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given a job of ours that is interrupted before anything else was seen of it
    following = Following()
    async with _running(following, connect, make_job()) as adapter:
        ours = following.stamp
        interrupting = asyncio.create_task(adapter.interrupt())
        await following.looked()

        # When another client's job begins
        theirs = following.stamp = "20260101000009"
        at_its_beginning = len(following.interrupted)
        await following.looked()
        following.encoded.set()

        # Then
        assert await interrupting
        assert ours in following.interrupted
        assert theirs not in following.interrupted[at_its_beginning + 1 :]
        assert following.interrupted.count(theirs) <= 1, "one may have been on its way"


async def test_the_progress_of_an_upscaling_counts_images_that_are_done(connect: Connect) -> None:
    # Given two images; WebUI counts an image when it begins
    content = {"upscaler_1": "None", "imageList": [{"data": IMAGE, "name": str(number)} for number in range(2)]}
    following = Following(parts=2)
    async with serve(following.app) as client, connect(client) as adapter:
        job = Job(id="task", tasktype=TaskType.EXTRA_BATCH_IMAGES, content=content)
        run = asyncio.create_task(run_job(adapter, job))
        await asyncio.wait_for(following.begun.wait(), PATIENCE)

        # When
        shown = []
        for following.progress in (0.51, 1.0):
            shown.append(await adapter.progress())
        following.encoded.set()

        # Then
        assert len((await asyncio.wait_for(run, PATIENCE)).outputs) == 2
        assert shown == pytest.approx([0.01, 0.5])
