"""One task through the whole local platform leaves one whole trace."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import ClientSession

from contract.runtimes import TaskType
from test.support.platform import PATIENCE, Running, running, write_config
from test.support.world import until
from utils.local.otlp import Span, collecting
from utils.local.services import ROOT
from utils.local.trace_file import read

RUNTIMES = [{"name": "sdruntime", "namespace": "default", "type": "sdwebui", "modelFilename": "m.safetensors"}]

STAGES = ["receive", "fetch", "hold", "run", "store", "end", "notify", "delete"]
GAPS = 0.05
"""Of the time between the first stage and the last, what no stage accounts for."""

CONTENT = {"prompt": "a canary in a mine", "steps": 150, "width": 64, "height": 64}
"""1.5 s at SECONDS_PER_STEP; the task policy allows no more steps."""

SECONDS_PER_STEP = "0.01"

IMAGE_BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""One pixel."""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    folder = tmp_path_factory.mktemp("traced")
    traces = folder / "traces.jsonl"
    config = write_config(folder, modelsRuntime=RUNTIMES)
    with running(
        folder / "output", "--config", str(config), "--trace-file", str(traces), "--seconds-per-step", SECONDS_PER_STEP
    ) as platform:
        yield platform, traces


async def test_a_task_is_one_trace_whose_stages_add_up_to_its_time(traced: tuple[Running, Path]) -> None:
    # Given a task with a link, sent through the front door
    platform, traces = traced
    image = f"s3://{platform.addresses.bucket}/output/samples/picture.png"
    before = time.time()

    # When its callback is there
    assert await _ended(platform, "traced", TaskType.IMAGE_TO_IMAGE, {**CONTENT, "init_images": [image]})

    # Then the front door's span is the root, and the task is below it
    spans = await until(lambda: _whole(traces), PATIENCE)
    after = time.time()
    assert len({span.trace_id for span in spans}) == 1
    (root,) = [span for span in spans if not span.parent_id]
    assert (root.service, root.name) == ("front-door", "POST /v1alpha2")
    (task,) = [span for span in spans if span.name == "task"]
    assert (task.service, task.parent_id) == ("queue-agent", root.span_id)

    # And the stages are below the task, in order, one after the other
    stages = sorted((span for span in spans if span.parent_id == task.span_id), key=lambda span: span.begin)
    assert [stage.name for stage in stages if stage.name != "wait"] == STAGES
    assert len(stages) + 2 == len(spans)
    assert before <= root.begin <= task.begin <= task.end <= after
    for earlier, later in pairwise(stages):
        assert earlier.end <= later.begin + 0.001, f"{earlier.name} overlaps {later.name}"

    # And they account for the time from the request to the end
    whole = max(span.end for span in spans) - root.begin
    accounted = sum(stage.seconds for stage in stages) + max(0.0, min(root.end, task.begin) - root.begin)
    assert accounted == pytest.approx(whole, rel=GAPS)

    # And a person can read them, without the prompt
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "sd_on_eks", "ops", "task", "traced", "--trace-file", str(traces)],
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    for stage in stages:
        assert stage.name in shown.stdout
    assert root.trace_id in shown.stdout
    assert "canary" not in traces.read_text()


async def test_a_table_shows_what_the_platform_is_at(traced: tuple[Running, Path]) -> None:
    # Given a task that has ended
    platform, _ = traced
    assert await _ended(platform, "watched", TaskType.TEXT_TO_IMAGE, {**CONTENT, "steps": 1})

    # When its numbers are there
    async def row() -> list[str]:
        shown = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "sd_on_eks", "ops", "watch", "--once", "--output", str(platform.output)],
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        (line,) = [line for line in shown.stdout.splitlines() if "sdruntime" in line]
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        return cells if cells[4] != "0" else []

    cells = await until(row, PATIENCE)

    # Then
    assert cells[:4] == ["sdruntime", "1", "0", "0"]
    assert int(cells[4]) >= 1
    assert cells[6].endswith(" s")
    assert cells[7].endswith(" s")
    assert cells[8].endswith("%")


async def test_every_log_line_of_a_task_names_it_its_attempt_and_its_trace(traced: tuple[Running, Path]) -> None:
    # Given a task that fails, whose prompt and image must not be told
    platform, traces = traced
    content = {**CONTENT, "steps": 1, "sampler_name": "no such sampler", "init_images": [IMAGE_BASE64]}

    # When it has failed
    assert not await _ended(platform, "failing", TaskType.IMAGE_TO_IMAGE, content)

    # Then
    log = platform.log("agent-sdruntime-1")
    lines = [json.loads(line) for line in log.splitlines()]
    ours = [line for line in lines if line.get("task_id") == "failing"]
    assert ours
    for line in ours:
        assert line["action"]
        assert line["attempt"] == 1
        assert len(line["trace_id"]) == 32
    for text in (log, platform.log("gateway"), platform.log("runtime-sdruntime-1"), traces.read_text()):
        for secret in ("canary", IMAGE_BASE64[:24], platform.addresses.api_key):
            assert secret not in text


async def test_a_collector_of_the_users_own_gets_traces_and_metrics(tmp_path: Path) -> None:
    # Given a platform that is told of a collector
    spans: list[Span] = []
    metrics: set[str] = set()
    config = write_config(tmp_path, modelsRuntime=RUNTIMES)
    async with AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(collecting(spans.append, metrics.add))
        started = running(tmp_path / "output", "--config", str(config), "--otlp", endpoint)
        platform = await asyncio.to_thread(started.__enter__)
        stack.push_async_callback(asyncio.to_thread, started.__exit__, None, None, None)

        # When a task goes through it
        assert await _ended(platform, "collected", TaskType.TEXT_TO_IMAGE, {"prompt": "a dog", "steps": 1})

        # Then the front door and the agent both tell of the one trace
        def tellers() -> set[str]:
            found = {span.trace_id for span in spans if span.attributes.get("task_id") == "collected"}
            return {span.service for span in spans if span.trace_id in found}

        await until(lambda: tellers() == {"front-door", "queue-agent"}, PATIENCE)
    # And the metrics came at the latest when the agent stopped
    assert {"tasks_total", "run_seconds", "gpu_busy_seconds_total"} <= metrics


async def _ended(platform: Running, task_id: str, tasktype: TaskType, content: dict[str, object]) -> bool:
    """Send the task, wait for its callback, and return the result that it tells."""
    metadata = {"id": task_id, "runtime": "sdruntime", "tasktype": tasktype.value, "prefix": "output"}
    async with (
        platform.listening() as listener,
        ClientSession(platform.addresses.endpoint, headers={"x-api-key": platform.addresses.api_key}) as http,
    ):
        async with http.post("v1alpha2", json={"task": {"metadata": metadata, "content": content}}) as answer:
            assert answer.status == 200
        (callback,) = await until(lambda: listener.receive(1), PATIENCE)
    return bool(callback.result)


def _whole(traces: Path) -> list[Span]:
    """The spans of the task, once its last is there."""
    spans = list(read(traces)) if traces.exists() else []
    tasks = [span for span in spans if span.attributes.get("task_id") == "traced"]
    if not tasks:
        return []
    found = [span for span in spans if span.trace_id == tasks[0].trace_id]
    return found if any(not span.parent_id for span in found) else []
