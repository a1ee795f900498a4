"""What happens to a platform when its processes end, and to its processes when it ends."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientError, ClientSession

from contract.metrics import GPU_BUSY
from contract.runtimes import TASK_TYPES, RuntimeType
from test.support.platform import CONFIG, PATIENCE, Running, command, environment, running, until, write_config
from utils.smoke import samples
from utils.smoke.client import callbacks_of

RUN_SECONDS = 110
"""For a whole run, start and stop included; below the limit of a test."""

ONE = [{"name": "flow", "namespace": "default", "type": "comfyui"}]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("agent-flow-1", ["queue_agent"]),
        ("runtime-flow-1", ["utils.simulators", "comfyui"]),
        ("gateway", ["utils.local.gateway_server"]),
        ("webhooks", ["utils.local.webhook_sender"]),
    ],
)
async def test_a_process_that_is_killed_is_named_and_restarted(
    name: str, arguments: list[str], platform: Running, http: ClientSession
) -> None:
    # Given
    before = _process(platform, name, arguments)
    async with platform.listening() as listener:
        # When
        before.kill()
        until(lambda: f"! {name} was killed by SIGKILL; restarting it" in platform.printed)
        # Then one of two tasks is done: the embedded SQS may give the other to the killed agent's open poll
        tasks = [f"task-{uuid.uuid4()}" for _ in range(2)]
        for task_id in tasks:
            await _post(http, samples.request("v1alpha2-pipeline", task_id=task_id, runtime="flow"))
        callback = await anext(callbacks_of(tasks, listener, PATIENCE))
    assert callback.result, callback.error


async def test_when_the_embedded_aws_dies_the_platform_says_so_and_ends(tmp_path: Path) -> None:
    with running(tmp_path, "--config", str(write_config(tmp_path, modelsRuntime=ONE))) as platform:
        # Given
        aws = platform.process_of("utils.local.aws_server")
        assert aws
        processes = platform.processes()
        # When
        aws.kill()
        # Then
        assert await asyncio.to_thread(platform.process.wait, PATIENCE) == 1
        assert "error: aws was killed by SIGKILL; its log is" in platform.printed
        assert not [process for process in processes if process.is_running()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
def test_however_the_platform_ends_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, "--config", str(write_config(tmp_path, modelsRuntime=ONE))) as platform:
        # Given
        processes = platform.processes()
        assert len(_listeners(processes)) == 4, "the embedded AWS, the gateway, a runtime, and an agent's probe"
        # When
        os.kill(platform.process.pid, number)
        code = platform.process.wait(PATIENCE)
        # Then
        assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0)
        until(lambda: not any(_runs(process) for process in processes))
        assert not _listeners(processes)
        assert "killed" not in platform.printed
    assert (tmp_path / ".platform" / "running.json").exists() == (number is signal.SIGKILL)


@pytest.mark.slow
async def test_an_agent_whose_runtime_is_in_a_long_step_is_not_killed(tmp_path: Path) -> None:
    # Given a runtime that can be interrupted only between two steps of 12 s
    graph = [{"name": "graph", "namespace": "default", "type": "invokeai"}]
    config = write_config(tmp_path, modelsRuntime=graph)
    with running(tmp_path, "--config", str(config), "--seconds-per-step", "12") as platform:
        link = f"s3://{platform.addresses.bucket}/output/samples/picture.png"
        headers = {"x-api-key": platform.addresses.api_key}
        async with ClientSession(platform.addresses.endpoint, headers=headers) as http:
            await _post(http, samples.request("v1alpha2-graph", task_id="long", runtime="graph", link=link))
            (metrics,) = platform.addresses.agents.values()
            async with asyncio.timeout(PATIENCE):
                while not await _busy_seconds(http, metrics):  # noqa: ASYNC110 - the condition is another process's
                    await asyncio.sleep(0.1)
        # When
        os.kill(platform.process.pid, signal.SIGINT)
        # Then
        assert await asyncio.to_thread(platform.process.wait, PATIENCE) == 0
        assert "killed" not in platform.printed
        assert "Stopped; nothing is left running." in platform.printed


def test_once_exits_0_when_every_image_was_written(tmp_path: Path) -> None:
    # Given
    config = write_config(tmp_path, modelsRuntime=CONFIG["modelsRuntime"][:1])
    # When
    ended = _run("--once", "--config", str(config), "--output", str(tmp_path), "--replicas", "2")
    # Then
    requests = [name for name in samples.NAMES if name.partition("-")[2] in TASK_TYPES[RuntimeType.SDWEBUI]]
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("\naccepted ") == ended.stdout.count("\ncompleted ") == len(requests)
    assert len(list(tmp_path.glob("output*/*/*.png"))) == len(requests)
    (logs,) = (tmp_path / ".platform" / "logs").iterdir()
    assert {log.name for log in logs.glob("agent-*")} == {"agent-sdruntime-1.log", "agent-sdruntime-2.log"}


def test_a_runtime_of_the_users_own_takes_the_place_of_the_simulated_one(tmp_path: Path) -> None:
    # Given
    own = subprocess.Popen(
        [sys.executable, "-m", "utils.simulators", "comfyui", "--port", "0", "--name", "own"],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with own:
        assert own.stdout
        url = own.stdout.readline().split()[-1]
        config = write_config(tmp_path, modelsRuntime=ONE)
        # When
        attached = ("--runtime-url", f"flow={url}", "--replicas", "2")
        ended = _run("--once", "--config", str(config), "--output", str(tmp_path), *attached)
        own.terminate()
    # Then
    assert ended.returncode == 0, ended.stdout
    (logs,) = (tmp_path / ".platform" / "logs").iterdir()
    assert {log.name for log in logs.iterdir()} == {"aws.log", "gateway.log", "webhooks.log", "agent-flow-1.log"}


def test_once_exits_1_when_a_runtime_is_not_there(tmp_path: Path) -> None:
    # Given
    config = write_config(tmp_path, modelsRuntime=ONE)
    attached = ("--runtime-url", "flow=http://127.0.0.1:9")
    # When
    ended = _run("--once", "--timeout", "6", "--config", str(config), "--output", str(tmp_path), *attached)
    # Then the reason is on the screen
    assert ended.returncode == 1
    assert "the runtime of agent-flow-1 is not ready" in ended.stdout
    assert "cannot be reached" in ended.stdout
    assert "no request was sent: a runtime is not ready" in ended.stdout


def _process(platform: Running, name: str, arguments: list[str]) -> psutil.Process:
    """The process called ``name``; agents have the same command line, and are known by their environment."""
    runtime = name.split("-")[1] if name.startswith("agent") else None
    for process in platform.processes():
        if set(arguments) <= set(process.cmdline()) and runtime in {None, process.environ().get("RUNTIME_NAME")}:
            return process
    raise AssertionError(f"{name} does not run")


async def _post(http: ClientSession, body: object) -> None:
    """Post until it is accepted: a gateway that was killed comes back after a moment."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with http.post("v1alpha2", json=body) as answer:
                    assert answer.status == 200, await answer.text()
                    return
            except ClientError:
                await asyncio.sleep(0.1)


async def _busy_seconds(http: ClientSession, metrics: str) -> float:
    """How long the agent's runtime has worked."""
    async with http.get(metrics) as response:
        values = re.findall(rf"^{GPU_BUSY.name}\{{[^}}]*\}} (\S+)$", await response.text(), re.MULTILINE)
    return sum(float(value) for value in values)


def _listeners(processes: list[psutil.Process]) -> list[int]:
    """The ports on which these processes listen; the platform itself holds the gateway's socket too."""
    return [
        one.laddr.port
        for process in processes
        if _runs(process)
        for one in process.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr
    ]


def _runs(process: psutil.Process) -> bool:
    """A killed parent's children wait as zombies for a reaper that some containers do not have."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("--seconds-per-step", "0.001", "--port", "0", *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
