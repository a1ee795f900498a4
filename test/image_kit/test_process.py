"""The server as a process, with the real models, and an agent's adapter beside it."""

import asyncio
import base64
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from yarl import URL

from contract.runtimes import TaskType
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.imagekit import Adapter
from queue_agent.runtimes.session import runtime_session
from test.support.drawings import encoded, overlap, person, photograph
from test.support.runtimes import is_ready, run_job

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


async def _start(**environment: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "image_kit.server"),
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT / "src"), "PORT": "0", "THREADS": "2", **environment},
        stdout=PIPE,
        stderr=PIPE,
    )


@pytest.fixture
async def process(weights_folder: Path) -> AsyncIterator[Process]:
    process = await _start(WEIGHTS_DIR=str(weights_folder))
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def _url(process: Process) -> URL:
    assert process.stdout is not None
    line = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
    return URL(line["message"].split()[-1])


@pytest.mark.slow
async def test_an_agent_runs_each_task_type_on_it(process: Process) -> None:
    # Given
    image, mask = person(320, 320)
    async with (
        runtime_session() as session,
        Adapter(await _url(process), session) as adapter,
        asyncio.timeout(PATIENCE),
    ):
        while not await is_ready(adapter):  # noqa: ASYNC110 - the state lies behind HTTP
            await asyncio.sleep(0.1)

        async def result(tasktype: TaskType, image: Image.Image) -> bytes:
            content = {"img": base64.b64encode(encoded(image)).decode()}
            result = await run_job(adapter, Job(id="task", tasktype=tasktype, content=content))
            return b"".join([part async for part in result.outputs[0].read()])

        # When
        enlarged = Image.open(BytesIO(await result(TaskType.SUPER_RESOLUTION, photograph(64, 48))))
        alpha = Image.open(BytesIO(await result(TaskType.HUMAN_SEGMENTATION, image)))
        text = json.loads(await result(TaskType.OCR, image))

    # Then
    assert enlarged.size == (128, 96)
    assert overlap(alpha, mask) >= 0.95
    assert text == []


@pytest.mark.slow
async def test_it_ends_on_sigterm(process: Process) -> None:
    # Given
    await _url(process)

    # When
    process.send_signal(signal.SIGTERM)

    # Then
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def test_wrong_settings_are_all_named() -> None:
    # When
    process = await _start(PORT="90000", THREADS="0", ALLOWED_LINK_HOSTS="a b")
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)

    # Then
    assert process.returncode == 2
    for name in ("PORT", "THREADS", "ALLOWED_LINK_HOSTS"):
        assert name in said.decode()


async def test_without_its_weights_it_ends_and_says_so(tmp_path: Path) -> None:
    # When
    process = await _start(WEIGHTS_DIR=str(tmp_path))
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)

    # Then
    assert process.returncode != 0
    assert "upconv_7_photo" in said.decode()
