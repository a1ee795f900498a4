"""The client with the whole platform on one machine: front door, agents, simulated runtimes."""

import io
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sd_on_eks import (
    AsyncClient,
    Client,
    Status,
    TaskFailed,
    image_to_image,
    text_to_image,
    upscale,
    workflow,
)
from test.e2e.conftest import platform
from test.support.platform import PATIENCE, Running, until
from utils.smoke import samples

__all__ = ["platform"]

pytestmark = pytest.mark.slow

MANY = 500

SCRIPT = """
from sd_on_eks import Client, text_to_image

jobs = [text_to_image("an image", steps=20, seed=number).having(runtime="sdruntime") for number in range(20)]
with Client() as client:
    for task in client.map(jobs, name={name!r}, concurrency=4):
        print(task.id, task.status, task.attempt, flush=True)
"""


def new_id() -> str:
    return f"c-{uuid.uuid4()}"


@pytest.fixture
def client(platform: Running) -> Iterator[Client]:
    with Client(platform.addresses.endpoint, platform.addresses.api_key) as opened:
        yield opened


def size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def test_an_image_comes_from_a_text(client: Client, tmp_path: Path) -> None:
    (output,) = client.run(text_to_image("a lighthouse", steps=4, width=128, height=64), timeout=PATIENCE)

    assert size(output.bytes()) == (128, 64)
    assert output.save(tmp_path).read_bytes() == output.bytes()


def test_a_file_of_ones_own_is_changed_and_enlarged(client: Client, tmp_path: Path) -> None:
    (start,) = client.run(text_to_image("a lighthouse", steps=4, width=64, height=64), timeout=PATIENCE)
    file = start.save(tmp_path / "start.png")

    (changed,) = client.run(image_to_image(file, "the same in oil", width=64, height=64, steps=4), timeout=PATIENCE)
    (large,) = client.run(upscale(changed.bytes(), scale=2), timeout=PATIENCE)

    assert size(large.bytes()) == (128, 128)


def test_a_workflow_runs_with_fields_set_by_title(client: Client) -> None:
    content = samples.request("v1alpha2-pipeline", runtime="flow")["task"]["content"]

    outputs = client.run(workflow(content, {"KSampler.seed": 7}), timeout=PATIENCE)

    assert all(output.type.startswith("image/") for output in outputs)


def test_the_cause_of_a_failure_is_the_runtimes(client: Client) -> None:
    with pytest.raises(TaskFailed) as failed:
        client.run(text_to_image("a", sampler_name="no such sampler"), timeout=PATIENCE)

    assert failed.value.task.error is not None


def test_a_running_task_is_watched_and_canceled(client: Client) -> None:
    task = client.submit(text_to_image("a", steps=150, n_iter=50))

    seen = []
    for event in task.events(timeout=PATIENCE):
        seen.append(event.status)
        if event.status is Status.RUNNING:
            event.cancel()

    assert seen[-1] is Status.CANCELED
    assert Status.RUNNING in seen


async def test_an_asynchronous_program_runs_tasks(platform: Running) -> None:
    async with AsyncClient(platform.addresses.endpoint, platform.addresses.api_key) as client:
        (output,) = await client.run(text_to_image("a", steps=2, width=64, height=64), timeout=PATIENCE)

        assert size(await output.bytes()) == (64, 64)


@pytest.mark.timeout(600)
def test_five_hundred_tasks_by_map(client: Client) -> None:
    jobs = [text_to_image(f"image {number}", steps=1, width=64, height=64) for number in range(MANY)]

    tasks = list(client.map(jobs, concurrency=32, name=new_id(), timeout=400))

    assert [task.status for task in tasks] == [Status.COMPLETED] * MANY
    assert len({task.id for task in tasks}) == MANY


def test_a_script_that_is_killed_goes_on_without_a_second_run(
    platform: Running, client: Client, tmp_path: Path
) -> None:
    name = new_id()
    script, printed = tmp_path / "script.py", tmp_path / "printed.txt"
    script.write_text(SCRIPT.format(name=name))
    environment = {
        **os.environ,
        "SDONEKS_ENDPOINT": platform.addresses.endpoint,
        "SDONEKS_API_KEY": platform.addresses.api_key,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with printed.open("wb") as output:
        first = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=output)
        try:
            until(lambda: len(printed.read_text().splitlines()) >= 3)
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
    assert len(printed.read_text().splitlines()) < 20

    again = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )

    ids = [f"{name}-{number:05}" for number in range(1, 21)]
    assert again.stdout.split("\n")[:-1] == [f"{task_id} completed 1" for task_id in ids]
    bucket = Path(platform.output)
    records = [path for task_id in ids for path in (bucket / "output" / task_id).glob("*.out")]
    assert len(records) == len(ids)
    assert client.task(ids[0]).attempt == 1
