"""The image kit's adapter, beside the server that it is made for."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession, web
from PIL import Image

from contract.runtimes import TaskType
from queue_agent.errors import AgentError, PermanentError, RuntimeBusy, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import File, Job, Output, Path, Result
from queue_agent.runtimes.imagekit import Adapter
from queue_agent.runtimes.session import runtime_session
from test.support.runtimes import NotingMonitor, run_job
from test.support.servers import Serve, serving
from utils.simulators.base import Options
from utils.simulators.imagekit import make_app

PATIENCE = 30.0


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with serving() as serve:
        yield serve


@asynccontextmanager
async def _adapter(serve: Serve, app: web.Application) -> AsyncIterator[Adapter]:
    async with runtime_session() as session, Adapter(await serve(app), session) as adapter:
        yield adapter


@pytest.fixture
async def adapter(serve: Serve) -> AsyncIterator[Adapter]:
    async with _adapter(serve, make_app(Options(seconds_per_step=0))) as adapter:
        yield adapter


def _png(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


def _job(tasktype: TaskType, content: dict[str, Any], **links: bytes) -> Job:
    files: dict[Path, File] = {
        (field,): File(name=field, media_type="image/png", data=data) for field, data in links.items()
    }
    return Job(id="task", tasktype=tasktype, content=content, files=files)


async def _read(output: Output) -> bytes:
    return b"".join([part async for part in output.read()])


async def _size(result: Result) -> tuple[int, int]:
    return Image.open(BytesIO(await _read(result.outputs[0]))).size


async def test_the_file_of_the_link_wins_over_the_image(adapter: Adapter) -> None:
    # Given
    content = {"url": "https://files.example/a", "img": base64.b64encode(_png(5, 5)).decode()}

    # When
    result = await run_job(adapter, _job(TaskType.SUPER_RESOLUTION, content, url=_png(10, 20)))

    # Then
    assert await _size(result) == (20, 40)
    assert result.answer(["s3://bucket/1.png"]) == {"result": "s3://bucket/1.png"}


async def test_a_link_may_stand_for_the_base64(adapter: Adapter) -> None:
    job = _job(TaskType.HUMAN_SEGMENTATION, {"img": "https://files.example/a"}, img=_png(10, 20))

    assert await _size(await run_job(adapter, job)) == (10, 20)


async def test_text_is_in_the_record_and_a_file_of_json(adapter: Adapter) -> None:
    # When
    result = await run_job(adapter, _job(TaskType.OCR, {"url": "s3://photos/a"}, url=_png(10, 20)))

    # Then
    location = {"top": 0, "left": 0, "width": 10, "height": 20}
    lines = [{"words": "simulated", "location": location, "score": 1.0}]
    (output,) = result.outputs
    assert output.extension == "json"
    assert json.loads(await _read(output)) == lines
    assert result.answer(["s3://bucket/1.json"]) == {"result": lines}


@pytest.mark.parametrize(
    ("tasktype", "content", "said"),
    [
        (TaskType.OCR, {}, "content.url: is required"),
        (TaskType.SUPER_RESOLUTION, {"img": "aQ==", "scale": 8}, "content.scale: must be 2 or 4, got 8"),
        (TaskType.HUMAN_SEGMENTATION, {"img": "aQ==", "type": "x"}, "content.type: must be 'alpha'"),
        (TaskType.OCR, {"img": "aQ=="}, "content.img: must be an image of one of the formats JPEG, PNG, BMP"),
    ],
)
async def test_a_wrong_request_is_the_callers_fault(
    adapter: Adapter, tasktype: TaskType, content: dict[str, Any], said: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        await run_job(adapter, _job(tasktype, content))
    assert said in caught.value.message


async def test_a_job_waits_for_somebody_elses_and_its_time_begins_afterwards(serve: Serve) -> None:
    # Given
    app = make_app(Options(seconds_per_step=0.05))
    async with _adapter(serve, app) as adapter, ClientSession() as session:
        url = adapter._url
        body = {"img": base64.b64encode(_png(100, 100)).decode(), "scale": 4}
        foreign = asyncio.create_task(session.post(url / "resolution", json=body))
        async with asyncio.timeout(PATIENCE):
            while not (await (await session.get(url / "health")).json())["job"]:  # noqa: ASYNC110 - behind HTTP
                await asyncio.sleep(0.01)
        with pytest.raises(RuntimeBusy):
            await adapter.check_ready()

        # When
        monitor = NotingMonitor()
        job = _job(TaskType.OCR, {"img": body["img"]})
        run = asyncio.create_task(adapter.run(await adapter.prepare(job), monitor))
        await asyncio.sleep(0.2)
        begun_early = monitor.begun.is_set()
        await asyncio.wait_for(run, PATIENCE)

        # Then
        assert not begun_early
        assert await monitor.waited()
        assert monitor.begun.is_set()
        assert (await foreign).status == 200


def _answering(status: int, body: Any) -> web.Application:
    async def health(_: web.Request) -> web.Response:
        return web.json_response({"image_kit": "1.0.0", "job": None, "progress": None})

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_post("/{route}", answer)
    return app


@pytest.mark.parametrize(
    ("status", "body", "fault", "type_"),
    [
        (500, {"message": "the model failed: MemoryError", "type": "failed"}, RuntimeFault, "out-of-memory"),
        (500, {"message": "the model failed: ValueError: x", "type": "failed"}, RuntimeFault, "runtime-error"),
        (503, {"message": "loading", "type": "starting"}, RuntimeUnavailable, "runtime-starting"),
        (413, {"message": "too large", "type": "http"}, PermanentError, "invalid-request"),
        (400, "a proxy's page", RuntimeFault, "runtime-error"),
        (200, {"result": "%%%"}, RuntimeFault, "bad-answer"),
        (200, {}, RuntimeFault, "bad-answer"),
        (200, [], RuntimeFault, "bad-answer"),
    ],
)
async def test_every_other_answer_is_a_fault_of_its_kind(
    serve: Serve, status: int, body: Any, fault: type[AgentError], type_: str
) -> None:
    async with _adapter(serve, _answering(status, body)) as adapter:
        with pytest.raises(fault) as caught:
            await run_job(adapter, _job(TaskType.SUPER_RESOLUTION, {"img": "aQ=="}))
    assert (type(caught.value), caught.value.type) == (fault, type_)
