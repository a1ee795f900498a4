"""The client with the whole platform on one machine: front door, agents, simulated runtimes."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
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
from test.sd_on_eks.records import runs
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


class OnTerminal:
    """A command whose standard error is a terminal. ``shown`` is what it showed there, ``printed`` its output."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._terminal, end = pty.openpty()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - stop closes it
        self.shown = ""
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=self._output, stderr=end
        )
        os.close(end)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ends(self, seconds: float) -> int:
        """The exit code."""
        try:
            code = self._process.wait(seconds)
        finally:
            self.stop()
        return code

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        self._output.seek(0)
        self.printed = self._output.read().decode().splitlines()
        self._output.close()

    def _read(self) -> None:
        try:
            while part := os.read(self._terminal, 4096):
                self.shown += part.decode(errors="replace")
        except OSError:
            pass  # the last writer is gone
        os.close(self._terminal)


def environment(platform: Running) -> dict[str, str]:
    return {
        **os.environ,
        "SDONEKS_ENDPOINT": platform.addresses.endpoint,
        "SDONEKS_API_KEY": platform.addresses.api_key,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm",
        "COLUMNS": "100",
    }


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


async def test_every_verb_of_the_asynchronous_client(platform: Running, tmp_path: Path) -> None:
    label = {"walk": new_id()}
    job = text_to_image("a", steps=4, width=64, height=64)
    async with AsyncClient(platform.addresses.endpoint, platform.addresses.api_key) as client:
        assert "sdruntime" in [runtime.name for runtime in await client.runtimes()]
        task = await client.submit(job, labels=label)
        seen = [event.status async for event in task.events(timeout=PATIENCE)]
        ended = await (await client.task(task.id)).wait(timeout=PATIENCE)
        (output,) = ended.outputs
        link = await client.upload(await output.save(tmp_path))
        (large,) = await client.run(upscale(link, scale=2), timeout=PATIENCE)
        waiting = await client.submit(text_to_image("a", steps=150, n_iter=50), labels=label)
        await waiting.cancel()
        canceled = await waiting.wait(timeout=PATIENCE)
        mapped = [task async for task in client.map([job] * 3, name=new_id(), timeout=PATIENCE, labels=label)]
        listed = {task.id async for task in client.tasks(labels=label)}

        assert seen[-1] is Status.COMPLETED
        assert size(await large.bytes()) == (128, 128)
        assert canceled.status is Status.CANCELED
        assert all(task.completed for task in mapped)
        assert listed == {task.id, waiting.id, *(task.id for task in mapped)}


def test_every_verb_of_the_synchronous_client(client: Client, tmp_path: Path) -> None:
    label = {"walk": new_id()}
    job = text_to_image("a", steps=4, width=64, height=64)
    assert "sdruntime" in [runtime.name for runtime in client.runtimes()]
    task = client.submit(job, labels=label)
    ended = client.task(task.id).wait(timeout=PATIENCE)
    link = client.upload(ended.outputs[0].save(tmp_path))
    (large,) = client.run(upscale(link, scale=2), timeout=PATIENCE)
    mapped = list(client.map([job] * 3, name=new_id(), timeout=PATIENCE, labels=label))

    assert size(large.bytes()) == (128, 128)
    assert {one.id for one in client.tasks(labels=label)} == {task.id, *(one.id for one in mapped)}


@pytest.mark.timeout(600)
def test_five_hundred_tasks_by_map_with_a_progress_bar(platform: Running, client: Client, tmp_path: Path) -> None:
    # Given a file of jobs
    name = new_id()
    content = {"steps": 1, "width": 64, "height": 64}
    lines = [{"tasktype": "text-to-image", "content": {**content, "prompt": f"image {n}"}} for n in range(MANY)]
    (tmp_path / "jobs.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    command = [sys.executable, "-m", "sd_on_eks", "map", "jobs.jsonl", "--name", name, "--concurrency", "32"]

    # When the command works on them on a terminal, is killed in the middle, and is called again
    killed = OnTerminal([*command, "-o", "made"], tmp_path, environment(platform))
    until(lambda: len(list((tmp_path / "made").glob("*.png"))) >= MANY // 10)
    killed.stop()
    again = OnTerminal([*command, "-o", "made"], tmp_path, environment(platform))
    assert again.ends(400) == 0

    # Then it showed how far it was, each task is completed, and none ran twice
    assert f"/{MANY}" in killed.shown
    assert f"{MANY}/{MANY}" in again.shown
    ids = [f"{name}-{number:05}" for number in range(1, MANY + 1)]
    assert [line.split()[:2] for line in again.printed] == [[task_id, "completed"] for task_id in ids]
    assert {path.name.rsplit("-", 2)[0] for path in (tmp_path / "made").glob("*.png")} == set(ids)
    assert runs(platform, name) == ids
    assert {client.task(task_id).attempt for task_id in (ids[0], ids[-1])} == {1}


def test_a_script_that_is_killed_goes_on_without_a_second_run(
    platform: Running, client: Client, tmp_path: Path
) -> None:
    name = new_id()
    script, printed = tmp_path / "script.py", tmp_path / "printed.txt"
    script.write_text(SCRIPT.format(name=name))
    with printed.open("wb") as output:
        first = subprocess.Popen([sys.executable, str(script)], env=environment(platform), stdout=output)
        try:
            until(lambda: len(printed.read_text().splitlines()) >= 3)
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
    assert len(printed.read_text().splitlines()) < 20

    again = subprocess.run(
        [sys.executable, str(script)],
        env=environment(platform),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    ids = [f"{name}-{number:05}" for number in range(1, 21)]
    assert again.stdout.split("\n")[:-1] == [f"{task_id} completed 1" for task_id in ids]
    assert runs(platform, name) == ids
    assert client.task(ids[0]).attempt == 1


def test_webhooks_of_the_platform_reach_the_command(platform: Running, client: Client) -> None:
    place = ["--config", str(platform.output.parent / "config.yaml"), "--output", str(platform.output)]
    secret = subprocess.run(
        [sys.executable, "-m", "sd_on_eks", "ops", "webhook-secret", *place],
        env=environment(platform),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout.strip()
    listening = subprocess.Popen(
        [sys.executable, "-u", "-m", "sd_on_eks", "webhook", "listen", "--port", "0", "--count", "1", "--json"],
        env={**environment(platform), "WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert listening.stderr
        (url,) = re.findall(r"http://\S+/", listening.stderr.readline())
        task = client.submit(text_to_image("a", steps=1, width=64, height=64), webhook=url)
        printed, _ = listening.communicate(timeout=PATIENCE)
    finally:
        listening.kill()
        listening.wait()

    event = json.loads(printed)
    assert (event["type"], event["data"]["id"], event["data"]["status"]) == ("task.ended", task.id, "completed")
    assert event["data"]["outputs"][0]["url"].startswith("http")
