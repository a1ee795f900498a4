"""Jobs that end early: on our word, on somebody else's, or with the connection."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from contract.runtimes import TaskType
from queue_agent.errors import Interrupted, RuntimeBusy, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Job, RunMonitor
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import NotingMonitor, is_ready, run_job
from test.support.sdwebui import Client, scripted, serve, serve_simulator
from utils.simulators.base import Options
from utils.simulators.drawing import draw
from utils.simulators.sdwebui.drawing import encode

from .conftest import Connect, MakeJob

SLOW = Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0.01)
PATIENCE = 20.0


@pytest.mark.parametrize("how", ["interrupt", "skip"])
async def test_a_single_image_that_somebody_else_stopped_is_not_delivered(
    connect: Connect, make_job: MakeJob, how: str
) -> None:
    # Given
    async with serve_simulator(SLOW) as client, connect(client) as adapter:
        run = asyncio.create_task(run_job(adapter, make_job(steps=5000)))
        await client.busy()

        # When
        await client.post(how)

        # Then
        with pytest.raises(RuntimeFault) as caught:
            await asyncio.wait_for(run, PATIENCE)
        assert caught.value.type == "interrupted-elsewhere"


async def test_the_stop_of_an_earlier_job_is_not_held_against_the_next(
    webui: Client, adapter: Adapter, make_job: MakeJob
) -> None:
    # Given
    await webui.post("interrupt")

    # When
    result = await run_job(adapter, make_job())

    # Then
    assert len(result.outputs) == 1


async def test_a_batch_of_upscalings_that_somebody_else_stopped_is_not_delivered(connect: Connect) -> None:
    # Given
    image = encode(draw("small", 1, 8, 8, label="x"))
    content = {"upscaler_1": "Nearest", "imageList": [{"data": image, "name": str(n)} for n in range(500)]}
    async with serve_simulator(SLOW) as client, connect(client) as adapter:
        job = Job(id="task", tasktype=TaskType.EXTRA_BATCH_IMAGES, content=content)
        run = asyncio.create_task(run_job(adapter, job))
        await client.eventually(lambda state: bool(state["job_no"]))

        # When
        await client.post("interrupt")

        # Then
        with pytest.raises(RuntimeFault, match="of 500 images were begun"):
            await asyncio.wait_for(run, PATIENCE)


async def test_an_interrupt_while_the_model_is_loading_keeps_the_job_from_starting(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve_simulator(SLOW) as client, connect(client, dynamic_model=True) as adapter:
        run = asyncio.create_task(
            run_job(adapter, make_job(alwayson_scripts={"sd_model_checkpoint": "beta"}, steps=5000))
        )
        async with asyncio.timeout(PATIENCE):
            while (await client.get("options"))[1]["sd_model_checkpoint"] != "beta.safetensors":  # noqa: ASYNC110
                await asyncio.sleep(0)

        # When
        idle = await adapter.interrupt()

        # Then
        assert idle
        with pytest.raises(Interrupted):
            await asyncio.wait_for(run, PATIENCE)
        assert (await client.state())["job_timestamp"] == "0", "nothing was generated"


async def test_a_job_that_fails_while_it_is_being_interrupted_was_interrupted(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given a WebUI that was stopped before the first image and stumbles over having none
    started, stopped = asyncio.Event(), asyncio.Event()

    async def generate(request: web.Request) -> web.Response:
        started.set()
        await stopped.wait()
        error = {"error": "IndexError", "detail": "", "body": "", "errors": "list index out of range"}
        return web.json_response(error, status=500)

    async def interrupt(request: web.Request) -> web.Response:
        stopped.set()
        return web.json_response({})

    async def progress(request: web.Request) -> web.Response:
        running = started.is_set() and not stopped.is_set()
        return web.json_response({"progress": 0, "state": {"job_count": int(running), "job_timestamp": "1"}})

    app = web.Application()
    app.add_routes([web.post("/sdapi/v1/txt2img", generate), web.post("/sdapi/v1/interrupt", interrupt)])
    app.add_routes([web.get("/sdapi/v1/progress", progress)])
    async with serve(app) as client, connect(client) as adapter:
        run = asyncio.create_task(run_job(adapter, make_job()))
        await asyncio.wait_for(started.wait(), PATIENCE)

        # When
        idle = await adapter.interrupt()

        # Then
        assert idle
        with pytest.raises(Interrupted):
            await asyncio.wait_for(run, PATIENCE)


async def test_behind_somebody_elses_job_ours_is_neither_sent_nor_begun_and_theirs_is_not_interrupted(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve_simulator(SLOW) as client, connect(client) as adapter:
        theirs = asyncio.create_task(client.post("txt2img", {"steps": 150, "n_iter": 50, "width": 64, "height": 64}))
        await client.busy()
        monitor = RunMonitor()
        ours = asyncio.create_task(adapter.run(await adapter.prepare(make_job()), monitor))
        await asyncio.wait([ours], timeout=0.2)

        # When
        progress = await adapter.progress()
        idle = await adapter.interrupt()

        # Then
        assert progress is None, "their progress is not ours"
        assert not monitor.begun.is_set()
        assert idle, "nothing of ours runs"
        with pytest.raises(Interrupted):
            await asyncio.wait_for(ours, PATIENCE)
        assert not (await client.state())["interrupted"]
        assert not theirs.done()
        with pytest.raises(RuntimeBusy, match="works for another client"):
            await adapter.check_ready()
        await client.post("interrupt")
        await theirs
        await adapter.check_ready()


async def test_a_job_behind_two_of_somebody_else_begins_when_both_are_done(connect: Connect, make_job: MakeJob) -> None:
    # Given
    async with serve_simulator(SLOW) as client, connect(client) as adapter:
        slow = {"steps": 60, "width": 64, "height": 64}
        theirs = [asyncio.create_task(client.post("txt2img", slow)) for _ in range(2)]
        await client.busy()
        monitor = NotingMonitor()

        # When
        ours = asyncio.create_task(adapter.run(await adapter.prepare(make_job()), monitor))
        await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
        done = [their.done() for their in theirs]

        # Then
        assert len((await asyncio.wait_for(ours, PATIENCE)).outputs) == 1
        assert all(their.done() for their in theirs)
        assert done == [True, True]
        assert await monitor.waited()


async def test_behind_somebody_elses_caption_ours_is_not_sent(connect: Connect, make_job: MakeJob) -> None:
    # Given
    slow = Options(seconds_per_step=0.2)
    async with serve_simulator(slow) as client, connect(client) as adapter:
        image = {"image": encode(draw("theirs", 1, 64, 64, label="x"))}
        theirs = asyncio.create_task(client.post("interrogate", image))
        await client.eventually(lambda state: bool(state["job"] == "interrogate"))
        monitor = RunMonitor()

        # When
        ours = asyncio.create_task(adapter.run(await adapter.prepare(make_job()), monitor))
        await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
        state = await client.state()

        # Then
        assert state["job"] != "interrogate"
        await asyncio.wait_for(theirs, PATIENCE)
        assert len((await asyncio.wait_for(ours, PATIENCE)).outputs) == 1


async def test_an_adapter_that_is_closed_while_a_job_runs_leaves_nothing_behind(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve_simulator(SLOW) as client:
        async with connect(client) as adapter:
            run = asyncio.create_task(run_job(adapter, make_job(steps=5000)))
            await client.busy()
            run.cancel()
            await asyncio.wait([run])

        # When
        left = [task for task in asyncio.all_tasks() if "Api.post" in str(task.get_coro())]

        # Then
        assert left == []
        await client.post("interrupt")


def _breaking(how: str) -> tuple[web.Application, list[str]]:
    """A WebUI that takes the job and then breaks off; with the list of the jobs it was sent."""
    received: list[str] = []

    async def generate(request: web.Request) -> web.StreamResponse:
        received.append(request.path)
        await request.read()
        assert request.transport is not None
        if how == "no answer":
            request.transport.close()
        elif how == "half an answer":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"images": [')
            request.transport.close()
            return response
        return web.Response(text="Internal Server Error: no JSON here")

    async def progress(request: web.Request) -> web.Response:
        return web.json_response({"progress": 0, "state": {"job_count": 0}})

    app = web.Application()
    app.add_routes([web.post("/sdapi/v1/txt2img", generate), web.get("/sdapi/v1/progress", progress)])
    return app, received


@pytest.mark.parametrize(
    ("how", "fault"),
    [("no answer", RuntimeUnavailable), ("half an answer", RuntimeUnavailable), ("not JSON", RuntimeFault)],
)
async def test_a_job_is_sent_once_whatever_becomes_of_its_answer(
    connect: Connect, make_job: MakeJob, how: str, fault: type[Exception]
) -> None:
    # Given
    app, received = _breaking(how)
    async with serve(app) as client, connect(client) as adapter:
        # When
        with pytest.raises(RuntimeFault) as caught:
            await run_job(adapter, make_job())

    # Then
    assert type(caught.value) is fault
    assert received == ["/sdapi/v1/txt2img"]


@pytest.mark.parametrize("answer", [None, [], {}, {"state": 7}, {"state": {"job_count": 1}, "progress": "half"}])
async def test_an_odd_answer_about_progress_is_no_progress(connect: Connect, answer: Any) -> None:
    # Given
    async with serve(scripted({"progress": answer})) as client, connect(client) as adapter:
        # When / Then
        assert await adapter.progress() is None


@pytest.mark.parametrize(
    ("models", "options", "ready"),
    [
        ([{"title": "a"}], {"sd_model_checkpoint": None}, True),
        ([], {}, False),
        ({"detail": "starting"}, {}, False),
        ([{"title": "a"}], None, False),
    ],
)
async def test_a_runtime_is_ready_when_it_lists_models_and_options(
    connect: Connect, models: Any, options: Any, ready: bool
) -> None:
    # Given
    app = scripted({"sd-models": models, "options": options})
    async with serve(app) as client, connect(client) as adapter:
        # When / Then
        assert await is_ready(adapter) is ready
